"""A source type for eugenie: a table of a SQLite database."""
