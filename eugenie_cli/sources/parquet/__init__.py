"""Parquet and Arrow files: the columns that are needed, batch by batch, with their types."""
