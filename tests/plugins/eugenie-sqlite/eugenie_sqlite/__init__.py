"""A source type of eugenie: a table of a SQLite database."""
