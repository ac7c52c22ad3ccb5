"""Abbreviations of time zones, such as `CET` and `CEST`: their offsets in the mapping's zone.

An abbreviation alone is ambiguous (CST is Chicago, Havana or Shanghai), and how a machine interprets it depends on its
own zone. So UTC, GMT and Z are always known; any other abbreviation, only if the mapping's zone uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from eugenie_cli.readings.format_check import UTC_WORDS

_OTHER_NAMES = {"MEZ": "CET", "MESZ": "CEST", "WEZ": "WET", "WESZ": "WEST", "OEZ": "EET", "OESZ": "EEST"}
"""German abbreviations -> those that zones have."""


def offset_reader(zone: tzinfo) -> Callable[[str, datetime], int]:
    """(abbreviation, naive local time) -> offset from UTC in ms, for a record from `zone`.

    In the hour that occurs twice, the abbreviation says which one is meant. One that is not in force at that time (CET
    in July) is taken literally: +01:00. Raises ValueError for one that the zone does not use in that year.
    """
    known: dict[int, dict[str, set[int]]] = {}

    def read(abbreviation: str, local: datetime) -> int:
        word = _OTHER_NAMES.get(abbreviation.upper(), abbreviation.upper())
        if word in UTC_WORDS:
            return 0
        offsets = {
            _ms(aware)
            for aware in (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
            if (aware.tzname() or "").upper() == word
        }
        if not offsets:
            if local.year not in known:
                known[local.year] = _of_year(zone, local.year)
            offsets = known[local.year].get(word, set())
        if len(offsets) == 1:
            return next(iter(offsets))
        if offsets:
            raise ValueError(f"{local.isoformat()} {abbreviation} occurs twice in {zone}: send an offset or UTC")
        names = ", ".join(sorted({*known[local.year], *UTC_WORDS}))
        raise ValueError(f"{abbreviation!r} is not an abbreviation of {zone} (known: {names}): send an offset or UTC")

    return read


def _of_year(zone: tzinfo, year: int) -> dict[str, set[int]]:
    names: dict[str, set[int]] = {}
    for month in range(1, 13):
        aware = datetime(year, month, 15, 12, tzinfo=zone)
        names.setdefault((aware.tzname() or "").upper(), set()).add(_ms(aware))
    return names


def _ms(aware: datetime) -> int:
    return (aware.utcoffset() or timedelta()) // timedelta(milliseconds=1)
