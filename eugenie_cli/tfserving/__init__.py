"""TensorFlow Serving on the wire: its protocol buffers, tensors, a client and its credentials.

All of it ships to stream workers, so the package imports nothing by itself.
"""
