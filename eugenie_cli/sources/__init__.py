"""Importers that fill the history: one folder per source type, found through the entry points `eugenie.sources`."""
