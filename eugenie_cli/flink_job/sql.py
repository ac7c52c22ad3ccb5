"""SQL fragments."""

from __future__ import annotations

from collections.abc import Mapping


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def options_clause(options: Mapping[str, str]) -> str:
    """The content of the parentheses of WITH."""
    return ", ".join(f"{literal(key)} = {literal(value)}" for key, value in options.items())
