"""Companion columns: the quality or the timestamp of one tag, as wide exports contain them.

The report names those that the mapping's `columns` does not. It must never advise ignoring them: values that are bad,
or from another instant, would then be imported silently.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from eugenie_cli.readings.columns.arrow_columns import is_empty
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.records.reader import RecordReader

# longest first, so that the whole word is removed
_QUALITY = (
    *("qualitycode", "opcquality", "statuscode", "qualitaet", "qualität", "quality", "qualité", "calidad", "kalite"),
    *("validity", "status", "durum", "valid", "qlty", "qual", "stat", "good", "flag", "qc", "q"),
)
_OF_A_TAG = ("badflag", "invalid", "isbad", "bad", "st")  # for a whole row: inverted, or too vague
_TIME = (
    *("sourcetimestamp", "servertimestamp", "zeitstempel", "horodatage", "timestamp", "datetime", "utctime", "uhrzeit"),
    *("tstamp", "fecha", "zaman", "tarih", "datum", "heure", "hora", "time", "date", "zeit", "ts", "t"),
)
_WORDS = {**dict.fromkeys((*_OF_A_TAG, *_QUALITY), "quality"), **dict.fromkeys(_TIME, "instant")}
_VALUE = ("measuredvalue", "value", "val", "pv", "mv", "v")
# a column whose name alone says so, without a tag of the site
_PLAIN = re.compile(r"(?:^|[\W_])(?:(quality|qual|opcquality)|(timestamp|tstamp|ts))\W*$", re.IGNORECASE)
_UNNAMED = re.compile(r"^column \d+$")


_ROW_QUALITY = frozenset({*_QUALITY, "isgood", "goodquality", "dataquality", "qualitystatus"})


class ColumnNotes:
    """Collects the unused columns of one file for the report."""

    def __init__(self, reader: RecordReader, bases: frozenset[str], readings: ReadingsMapping) -> None:
        """`bases`: `bases_of` the site's tags and sensors."""
        self._names = reader.columns
        self._row_quality = [c for c in reader.unread() if readings.quality is None and is_row_quality(c)]
        self._unknown = [c for c in reader.unknown_columns() if c not in self._row_quality]
        bases = bases | bases_of(set(reader.columns) - set(self._unknown)) if self._unknown else bases
        self._companions = {c: kind for c in self._unknown if (kind := kind_of(c, bases, self._names))}
        self._filled: set[str] = set()

    def inspect(self, records: pa.RecordBatch) -> None:
        """Note which unnamed columns contain values: a delimiter at the end of each line makes an empty one."""
        for column, kind in self._companions.items():
            if kind == "unnamed" and column not in self._filled:
                texts = records.column(self._names.index(column))
                if not pc.all(is_empty(texts)).as_py():
                    self._filled.add(column)

    def report(self, tally: Tally) -> None:
        """Add the columns to `tally`, after the last block."""
        kinds = {c: k for c, k in self._companions.items() if k != "unnamed" or c in self._filled}
        tally.companions |= {**kinds, **dict.fromkeys(self._row_quality, "row")}
        told = {*self._companions, *tally.unknown_columns}  # another table of the file may have the same columns
        tally.unknown_columns.extend(c for c in self._unknown if c not in told)


def is_row_quality(column: str) -> bool:
    """Whether a column looks like the quality of a whole record."""
    return _squeezed(column) in _ROW_QUALITY


def bases_of(names: Iterable[str]) -> frozenset[str]:
    """Names without punctuation, with and without a word for a value: `PT101_VALUE` -> pt101value, pt101."""
    return frozenset(base for name in names for base in _without_value(_squeezed(name)))


def kind_of(column: str, bases: frozenset[str], columns: Collection[str]) -> str | None:
    """What a column looks like: a tag's "quality" or "instant", the "second" of its name, an "unnamed" one, or the
    "spelling" of a tag with other case or punctuation; None for none of these. `columns`: all columns of the file.
    """
    if _UNNAMED.match(column):
        return "unnamed"
    first = re.sub(r" \d+$", "", column)  # the second column of one name is called `name 2`
    plain = _squeezed(first)
    for word, kind in _WORDS.items():
        rests = (plain.removesuffix(word), plain.removeprefix(word))
        if any(rest != plain and not bases.isdisjoint(_without_value(rest)) for rest in rests):
            return kind
    if match := _PLAIN.search(first):
        return "quality" if match[1] else "instant"
    if first != column and first in columns:
        return "second"
    return None if bases.isdisjoint(_without_value(plain)) else "spelling"


def _without_value(plain: str) -> set[str]:
    """A name without punctuation, with and without a word for a value at its end."""
    return {plain, *(plain.removesuffix(word) for word in _VALUE if plain.endswith(word))} - {""}


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
