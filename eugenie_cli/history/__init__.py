"""The history: the Parquet store, data quality, and the grid that training and evaluation read."""
