"""Abbreviations of time zones, `CET` and `CEST`: their offsets, as the mapping's own zone has them.

An abbreviation means nothing alone (CST is Chicago, Havana or Shanghai), and what a machine takes one for depends on
the zone that it is set to. So UTC, GMT and Z are known everywhere, any other only if the mapping's zone uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from eugenie_cli.readings.format_check import UTC_WORDS


def offset_reader(zone: tzinfo) -> Callable[[str, datetime], int]:
    """(abbreviation, naive local time) -> its offset from UTC in ms, where the text stands in a record of `zone`.

    In the hour that comes twice the abbreviation says which one is meant. One that is not in force at that time, CET in
    July, means what it says: +01:00. Raises ValueError for one that the zone does not use in that year.
    """
    known: dict[int, dict[str, set[int]]] = {}

    def read(abbreviation: str, local: datetime) -> int:
        word = abbreviation.upper()
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
        raise ValueError(f"{abbreviation!r} is no abbreviation of {zone} (known: {names}): send an offset or UTC")

    return read


def _of_year(zone: tzinfo, year: int) -> dict[str, set[int]]:
    names: dict[str, set[int]] = {}
    for month in range(1, 13):
        aware = datetime(year, month, 15, 12, tzinfo=zone)
        names.setdefault((aware.tzname() or "").upper(), set()).add(_ms(aware))
    return names


def _ms(aware: datetime) -> int:
    return (aware.utcoffset() or timedelta()) // timedelta(milliseconds=1)
