"""Confluent's wire format: a zero byte, the schema's id as a 4-byte big-endian number, then the body."""

MAGIC = b"\0"
FRAME = 5
"""Bytes before the body."""
