"""CSV files, compressed or not: found, cut into records, read as columns."""
