"""Text of SQL."""

from __future__ import annotations

from collections.abc import Mapping


def literal(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def options_clause(options: Mapping[str, str]) -> str:
    """What stands in the parentheses of WITH."""
    return ", ".join(f"{literal(key)} = {literal(value)}" for key, value in options.items())
