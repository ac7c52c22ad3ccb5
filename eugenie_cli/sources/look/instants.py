"""Columns that are instants: in ISO 8601, a format, a unit since 1970, or days of a spreadsheet."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from eugenie_cli.readings.number_units import DAY_MS, EPOCH_PATTERN, FIRST_PLAUSIBLE, LAST_PLAUSIBLE, LOCAL_UNITS
from eugenie_cli.readings.timestamp_formats import compile_formats
from eugenie_cli.readings.timestamps import ISO_PATTERN, compile_instant
from eugenie_cli.sources.look.table import Column
from eugenie_cli.sources.look.time_formats import Candidate, candidates

MOST = 2_000
"""Distinct texts of a column that are tried."""
FORMATS = 4
"""Formats that one column may have: more are no instants."""
ENOUGH = 0.75
"""Share of the filled cells that are instants in a column of instants: loggers write other marks into it."""
_ISO = re.compile(ISO_PATTERN)
_OFFSET = re.compile(r":\d{2}(?:\.\d+)?[+-]\d{2}:\d{2}$")
_JAVASCRIPT = re.compile(r"^[A-Za-z]{3},? [A-Za-z0-9]{2,3} [A-Za-z0-9]{2,3} [0-9: ]{13,16}GMT(?:[+-][0-9]{4})?")
_NUMBER = re.compile(EPOCH_PATTERN)
_TIME_NAMES = re.compile(
    r"(?:^|[\W_])(?:time|date|datetime|timestamp|tstamp|stamp|ts|t_stamp|epoch|zeit|datum|zeitstempel|uhrzeit|tarih|"
    r"zaman|saat|fecha|t|hora|heure|horodatage|data|ora|tijd|czas|tid)(?:$|[\W_])|time|stamp|datum|zeit|tarih|fecha",
    re.IGNORECASE,
)
_NOT_UNITS = re.compile(r"runtime|uptime|cycle.?time|lifetime|laufzeit|set.?time|timeout|downtime", re.IGNORECASE)
UNITS = ("ticks", "filetime", "s", "ms", "us", "ns", "excel", "wincc", "labview", "matlab", "julian", "mjd")
"""Of numbers that are instants, the usual ones first. Others give instants of the same years."""
SURE = ("ticks", "filetime", "s", "ms", "us", "ns", "wincc")
"""Units whose numbers are hardly anything else, if they rise from row to row."""
SECONDS_1970 = 100_000_000
"""Fewer seconds are no instant after 1973."""


@dataclass(frozen=True)
class Instants:
    """How a column is read. `formats`: candidates, all of which read the same texts, the most likely first, each one or
    several formats; `unit`: "iso", or of a number; `date`, `time`: whether the texts have that part; `zone`: "" if they
    are local times, "offset", or the abbreviations; `share`: of the cells that are read.
    """

    unit: str = "iso"
    formats: tuple[tuple[str, ...], ...] = ()
    date: bool = True
    time: bool = True
    zones: tuple[str, ...] = ()
    share: float = 1.0

    @property
    def is_local(self) -> bool:
        """Whether a time zone is needed."""
        return self.unit in LOCAL_UNITS and not self.zones

    @property
    def is_whole(self) -> bool:
        """Whether it is an instant by itself."""
        return self.date and self.time

    def settings(self, choice: int = 0) -> dict[str, Any]:
        """`unit` or `format` as in the site file."""
        if self.unit != "iso":
            return {"unit": self.unit}
        formats = self.formats[choice] if self.formats else ()
        if not formats:
            return {}
        return {"format": formats[0] if len(formats) == 1 else list(formats)}

    def reader(self, choice: int = 0, zone: str = "UTC") -> Callable[[str], int | None]:
        """Text -> ms since 1970, None for a text that is not read."""
        formats = self.formats[choice] if self.formats else None
        read = compile_instant(self.unit, formats, zone, "first")

        def or_none(text: str) -> int | None:
            try:
                return read(text)
            except ValueError:
                return None

        return or_none


def named_like_time(name: str) -> bool:
    """Whether a column's name says that it is an instant."""
    return _TIME_NAMES.search(name) is not None and _NOT_UNITS.search(name) is None


def instants_of(column: Column, *, by_format: bool = False) -> Instants | None:
    """How a column's cells are instants, dates or times of day; None if they are not. `by_format`: also if they are in
    ISO 8601.
    """
    if column.typed == "instant":
        first = next((cell for cell in column.cells if cell), "")
        return Instants(zones=("offset",) if _OFFSET.search(first) else ())
    texts = [text for text, _ in column.counts.most_common(MOST)]
    if not texts or column.typed in ("bool", "object"):
        return None
    if by_format:
        return _of_formats(texts, column.counts)
    weight = sum(column.counts[text] for text in texts)

    def share(reads: Sequence[bool]) -> float:
        return sum(column.counts[text] for text, read in zip(texts, reads, strict=True) if read) / weight

    iso = [_ISO.match(text) is not None or _JAVASCRIPT.match(text) is not None for text in texts]
    if share(iso) >= ENOUGH:
        matches = [_ISO.match(text) for text, read in zip(texts, iso, strict=True) if read]
        zoned = all(match is None or match[8] for match in matches)
        mixed = not zoned and any(match is None or match[8] for match in matches)
        return Instants(zones=("offset",) if zoned else ("some",) if mixed else (), share=share(iso))
    numbers = [text for text in texts if _NUMBER.match(text.replace(",", ".", 1))]
    if share([text in set(numbers) for text in texts]) >= ENOUGH:
        found = _of_numbers(column, numbers)
        if found is not None:
            return found
    return _of_formats(texts, column.counts)


def _of_numbers(column: Column, texts: Sequence[str]) -> Instants | None:
    """Numbers that are plausible instants in one unit, and increase or are named so."""
    try:
        numbers = {text: Decimal(text.replace(",", ".", 1)) for text in texts}
    except InvalidOperation:
        return None
    if not named_like_time(column.name) and not _rises([numbers[c] for c in column.cells if c in numbers]):
        return None
    usable, now = {text for text, number in numbers.items() if number}, time.time_ns() // 1_000_000 + DAY_MS
    fitting = []
    for unit in UNITS:
        read = Instants(unit).reader()
        instants = [read(text) for text in usable]
        good = [at for at in instants if at is not None and FIRST_PLAUSIBLE <= at < LAST_PLAUSIBLE]
        if usable and len(good) >= 0.9 * len(usable):
            sure = unit in SURE or (unit == "excel" and _has_fractions(texts))
            if not sure and not named_like_time(column.name):
                continue  # numbers of few digits may be anything, such as a counter
            fitting.append((max(good) > now, unit))
    if not fitting:
        return None
    _, unit = min(fitting, key=lambda one: one[0])  # LabVIEW's seconds are those of 1970, too, but of sixty years later
    return Instants(unit, share=len(texts) / max(1, len(column.counts)))


def relative(column: Column) -> bool:
    """Whether a column counts time from the start of its file: small numbers that rise."""
    cells = [cell for cell in column.cells if cell][:MOST]
    if not (named_like_time(column.name) or column.name.lower().startswith("x_")) or not all(map(_NUMBER.match, cells)):
        return False
    numbers = [Decimal(cell.replace(",", ".", 1)) for cell in cells]
    return _rises(numbers) and abs(numbers[0]) < SECONDS_1970


def _rises(numbers: Sequence[Decimal]) -> bool:
    return len(numbers) > 2 and all(a < b for a, b in itertools.pairwise(numbers))


def _has_fractions(texts: Sequence[str]) -> bool:
    return sum("." in text or "," in text for text in texts) * 2 > len(texts)


def _of_formats(texts: Sequence[str], counts: Counter[str]) -> Instants | None:
    """The formats that read most of the texts. Alternatives read the same ones otherwise (day and month)."""
    tried: Counter[Candidate] = Counter()
    for text in texts:
        for candidate in candidates(text):
            tried[candidate._replace(zone="")] += counts[text]
    if not tried:
        return None
    total = sum(counts[text] for text in texts)
    reads = {candidate.format: _read_by(candidate, texts) for candidate, _ in tried.most_common(24)}
    kinds = {candidate.format: candidate for candidate in tried}
    order = list(reads)

    def weight(format: str) -> int:
        return sum(counts[text] for text in reads[format])

    chosen: list[list[str]] = []
    left = set(texts)
    while left and len(chosen) < FORMATS:
        best = max(order, key=lambda f: (sum(counts[t] for t in reads[f] & left), -order.index(f)))
        gain = reads[best] & left
        if not gain:
            break
        first = kinds[chosen[0][0]] if chosen else kinds[best]
        if (kinds[best].date, kinds[best].time) != (first.date, first.time) and chosen:
            break
        alike = (kinds[best].date, kinds[best].time)
        chosen.append([f for f in order if reads[f] & left == gain and (kinds[f].date, kinds[f].time) == alike])
        left -= gain
    share = 1 - sum(counts[text] for text in left) / total
    if not chosen or share < ENOUGH:
        return None
    kind = kinds[chosen[0][0]]
    zones = {c.zone for text in texts for c in candidates(text) if c.format in {f for fs in chosen for f in fs}} - {""}
    alternatives = _alternatives(chosen)
    return Instants("iso", alternatives, kind.date, kind.time, tuple(sorted(zones)), share)


def _alternatives(chosen: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Lists of formats that read all texts: the same order of day and month in all formats of a list."""
    count = max(map(len, chosen))
    lists = []
    for number in range(count):
        lists.append(tuple(dict.fromkeys(formats[min(number, len(formats) - 1)] for formats in chosen)))
    return tuple(dict.fromkeys(lists))


def _read_by(candidate: Candidate, texts: Sequence[str]) -> set[str]:
    """The texts that a format reads. A date or a time of day alone is tried with the other part added."""
    format, before, after = candidate.format, "", ""
    if not candidate.time:
        format, after = f"{format} %H:%M:%S", " 00:00:00"
    elif not candidate.date:
        format, before = f"%Y-%m-%d {format}", "2026-01-01 "
    try:
        read = compile_formats([format], timezone.utc)
    except ValueError:
        return set()
    found = set()
    for text in texts:
        written = _in_utc(text) if "%Z" in format else text
        try:
            read(f"{before}{written}{after}")
        except ValueError:
            continue
        found.add(text)
    return found


def _in_utc(text: str) -> str:
    """A text with the abbreviation of its zone replaced: which zones know it is decided later."""
    for candidate in candidates(text):
        if candidate.zone and candidate.zone != "offset":
            head, _, tail = text.rpartition(candidate.zone)
            return f"{head}UTC{tail}"
    return text
