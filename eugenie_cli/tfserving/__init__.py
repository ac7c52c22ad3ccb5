"""TensorFlow Serving on the wire: its protocol buffers, tensors, a client and its credentials.

All of it ships to stream workers, so importing this package imports nothing.
"""
