"""`alarm:` of a class: when scores become an anomaly, and how many are acceptable with nothing wrong."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from eugenie_cli.detection.alarm_policy import DAY_MS, LONGEST_OFF_DELAY, USUAL_SHARE, AlarmBudget
from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Milliseconds, parse_duration, show_duration

_EPISODES = re.compile(r"(\d+(?:\.\d+)?)\s+per\s+(.+)")
_WRITE = "write alarms of an asset in a time, such as 1 per 90d, or a share of the normal rows, such as 0.01"


def parse_budget(value: Any) -> float | AlarmBudget:
    """`"1 per 90d"` -> episodes in a time; a number between 0 and 1 -> a share of rows.

    Raises ValueError for anything else, with what to write.
    """
    if isinstance(value, AlarmBudget):
        return value
    if isinstance(value, str) and (match := _EPISODES.fullmatch(value.strip())):
        episodes = float(match[1])
        if not episodes:
            raise ValueError("0 alarms cannot be kept by any threshold: " + _WRITE)
        try:
            period_ms = parse_duration(match[2])
        except ValueError as problem:
            raise ValueError(f"{match[2]!r} is no time ({problem}): {_WRITE}") from None
        if not period_ms:
            raise ValueError(f"{match[2]!r} is no time: {_WRITE}")
        return AlarmBudget(episodes, period_ms)
    try:
        share = float(value)
    except (TypeError, ValueError):
        raise ValueError(_WRITE) from None
    if isinstance(value, bool) or not 0 < share < 1:
        raise ValueError(f"a share of rows is between 0 and 1: {_WRITE}")
    return share


def show_budget(budget: float | AlarmBudget) -> float | str:
    """The shortest text, or the number, from which `parse_budget` returns the same."""
    if isinstance(budget, AlarmBudget):
        return f"{budget.episodes:g} per {show_duration(budget.period_ms)}"
    return budget


Budget = Annotated[
    Any,
    BeforeValidator(parse_budget),
    PlainSerializer(show_budget),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["1 per 90d"]}, {"type": "number"}]}),
]


class Alarm(Section):
    """The conditions under which scores become an anomaly. Delays are in rows."""

    budget: Annotated[
        Budget,
        Field(description="alarms of an asset with nothing wrong, or share of normal rows that may score above 1"),
    ] = AlarmBudget(1, 90 * DAY_MS)
    on_delay: Annotated[int, Field(ge=1)] | None = Field(
        None, description="rows above 1 that open an anomaly; default: chosen in training"
    )
    off_delay: Annotated[int, Field(ge=1)] | None = Field(
        None, description="rows at or below 1 that close it; default: chosen in training"
    )
    cooldown: Annotated[int, Field(ge=0, description="rows after the end of an anomaly in which no other opens")] = 0
    silence: Milliseconds | None = Field(
        None,
        description="an anomaly closes after this long without a scored row; default: max_gap + 10 steps",
    )

    @property
    def row_share(self) -> float:
        """The share of normal rows that may score above 1: the budget, or a usual one where that is of episodes."""
        return USUAL_SHARE if isinstance(self.budget, AlarmBudget) else float(self.budget)

    @property
    def budget_in_words(self) -> str:
        if isinstance(self.budget, AlarmBudget):
            return f"{show_budget(self.budget)} and asset with nothing wrong"
        return f"{self.budget:.2%} of normal rows above 1"

    @property
    def longest_off_delay(self) -> int:
        """The off-delay in rows, or the longest that training may choose."""
        return self.off_delay or LONGEST_OFF_DELAY
