"""JSON files: messages in lines, and documents with arrays of records, read by the mapping of messages."""
