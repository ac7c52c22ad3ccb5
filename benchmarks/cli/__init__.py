"""The start of a command."""
