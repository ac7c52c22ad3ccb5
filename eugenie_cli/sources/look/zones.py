"""Which time zones fit local times: their abbreviations, the hour that occurs twice, the hour that does not exist."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from eugenie_cli.readings.abbreviations import offset_reader
from eugenie_cli.readings.format_check import UTC_WORDS
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.instants import Instants

COMMON = (
    *("Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Istanbul", "Europe/Moscow", "America/New_York"),
    *("America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles", "America/Sao_Paulo"),
    *("Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "Australia/Perth"),
    *("Pacific/Auckland", "Africa/Johannesburg"),
)
"""Zones of many plants: examples, of which one with the same rules is proposed."""
_GERMAN = {"MEZ": "Europe/Berlin", "MESZ": "Europe/Berlin", "TRT": "Europe/Istanbul", "TSİ": "Europe/Istanbul"}
_EPOCH = datetime(1970, 1, 1)
_HOUR = 3_600_000


def zone_of(found: Instants, instants: Sequence[int], notes: Notes) -> str | None:
    """The zone that the data show; None if they show none, with a check if one is needed.

    `instants`: the local times of the rows, in their order, as ms on the same clock.
    """
    words = [zone for zone in found.zones if zone not in ("offset", "some")]
    if words:
        return _of_abbreviations(words, notes)
    if "some" in found.zones:
        notes.check("ts", "some instants have an offset from UTC, others have none: those are read in the site's zone")
        return None
    if not found.is_local:
        return None
    twice = _turns_back(instants)
    for at in twice[:3]:
        fitting = [name for name in COMMON if _occurs_twice(name, at)]
        if fitting:
            notes.find("time zone", fitting[0], f"an hour is repeated at {_shown(at)}, as clocks there are set back")
            notes.check(
                "timezone",
                f"{fitting[0]} is one of the zones whose clocks are set back at {_shown(at)}",
                f"others: {', '.join(fitting[1:4])}" if fitting[1:] else "",
            )
            return fitting[0]
    notes.check(
        "timezone",
        "the instants have no offset from UTC: they are read in the site's `timezone`, which the data do not show",
        "set it to an IANA name such as Europe/Berlin",
    )
    return None


def _of_abbreviations(words: Sequence[str], notes: Notes) -> str | None:
    shown = ", ".join(words)
    if all(word.upper() in UTC_WORDS for word in words):
        notes.find("time zone", "UTC", f"the instants say {shown}")
        return None
    named = [name for name in COMMON if all(_knows(name, word) for word in words)]
    named = named or [_GERMAN[word.upper()] for word in words if word.upper() in _GERMAN][:1]
    if not named:
        notes.check("ts", f"the instants have the zone {shown}, which is not known", "set `timezone` to its IANA name")
        return None
    notes.find("time zone", named[0], f"the instants say {shown}")
    notes.check(
        "timezone", f"{shown} is read as in {named[0]}", f"others: {', '.join(named[1:4])}" if named[1:] else ""
    )
    return named[0]


def _knows(name: str, word: str) -> bool:
    try:
        offset_reader(ZoneInfo(name))(word, datetime(2026, 1, 15, 12))
    except ValueError:
        return False
    return True


def _turns_back(instants: Sequence[int]) -> list[int]:
    """Where local times, otherwise in order, go back by at most an hour."""
    steps = [(b - a, b) for a, b in itertools.pairwise(instants)]
    back = [at for step, at in steps if -_HOUR <= step < 0]
    return back if len([step for step, _ in steps if step < 0]) == len(back) and len(back) <= 3 else []


def _occurs_twice(name: str, at: int) -> bool:
    local = (_EPOCH + timedelta(milliseconds=at)).replace(tzinfo=ZoneInfo(name))
    first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def _shown(at: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(" ", "minutes")
