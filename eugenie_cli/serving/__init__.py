"""Models as a service: export, the wire format, a client, a server that speaks TensorFlow Serving's API.

`client`, `tensors` and `protos` ship to stream workers, so importing this package imports nothing.
"""
