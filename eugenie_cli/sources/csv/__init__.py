"""CSV files, compressed or not: finds them, splits them into records, and reads these as columns."""
