"""History: imports, the Parquet store, quality, and the grid that training and evaluation read."""
