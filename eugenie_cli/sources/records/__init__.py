"""Blocks of records, as Arrow columns of any type -> readings. Every importer of tables reads through this package."""
