"""The source type `kafka`: readings that a topic still holds, and those among the dead letters."""
