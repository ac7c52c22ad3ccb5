"""Change events of a database, as Debezium writes them: the row is in `after`, which is null for a deleted row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eugenie_cli.readings.members import member

AFTER, OPERATION = "after", "op"
NOT_READINGS = ("d", "t", "m")
"""Operations without a new row: delete, truncate, and a message that the database's log carries."""

_PARTS = ("ts", "asset", "sensor", "tag", "value", "quality")


def compile_deletion(mapping: Mapping[str, Any]) -> Callable[[Any], bool] | None:
    """Whether a message is a change event without a new row, and so without readings.

    None for a mapping that does not read change events: no path of it leads through `after`.
    """
    around = next(filter(None, (_envelope(mapping, name) for name in _PARTS)), None)
    if around is None:
        return None
    after, operation = (".".join([*around[:-1], name]) for name in (AFTER, OPERATION))

    def is_deletion(message: Any) -> bool:
        if not isinstance(message, dict) or member(message, operation) not in NOT_READINGS:
            return False
        return not isinstance(member(message, after), dict)

    return is_deletion


def _envelope(mapping: Mapping[str, Any], name: str) -> list[str] | None:
    """The names that lead to the row, `after` the last; None if the part is not in a row."""
    names = ((mapping.get(name) or {}).get("path") or "").split(".")
    is_row = mapping.get("shape") == "wide" and name == "value" and names[-1] == AFTER
    return names[: names.index(AFTER) + 1] if is_row or AFTER in names[:-1] else None
