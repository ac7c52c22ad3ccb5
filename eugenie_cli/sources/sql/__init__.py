"""Imports tables and queries of SQL databases."""
