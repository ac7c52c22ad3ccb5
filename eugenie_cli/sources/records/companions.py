"""Companion columns: the quality or the timestamp of one tag, as wide exports contain them.

The report names those that the mapping's `columns` does not. It must never advise ignoring them: values that are bad,
or from another instant, would then be imported silently.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from eugenie_cli.readings.columns.arrow_columns import as_texts, is_blank, is_empty, is_text
from eugenie_cli.readings.number_units import LOCAL_UNITS
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

FEW = 64
"""Cells that show what a column contains."""
_NUMBER = r"^\s*[+-]?[0-9]+(?:[.,][0-9]+)?\s*$"

_FRACTIONS = frozenset(
    {"millitm", "milli", "millis", "millisecond", "milliseconds", "millisec", "msec", "ms", "timems"}
)
_UNITS = frozenset(
    [
        "unit",
        "units",
        "uom",
        "einheit",
        "engunit",
        "engunits",
        "engineeringunits",
        "unitsabbreviation",
        "birim",
        "unite",
    ]
)
_BAD_IF_TRUE = frozenset(
    {"bad", "isbad", "badflag", "badquality", "invalid", "isinvalid", "fault", "error", "questionable"}
)
_DOUBTFUL = frozenset({"fault", "error", "questionable"})
"""Of these, the first two may be states of a machine; a questionable value counts as good."""
_MOST_UNITS = 10_000  # tags
_ZONE = re.compile(r"(?:UTC|GMT)(?: ?[+-] ?\d{1,2}(?::?\d{2})?)?(?![A-Za-z])|[+-]\d{2}:\d{2}|\b(?:CES?T|MES?Z)\b")
_OFFSET = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?|[A-Z]{3,4})$"
_LETTERS = frozenset("DESU")
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
        self._companions |= {c: "again" for c in self._unknown if re.sub(r" \d+$", "", c) in readings.ts.all_paths}
        self._filled: set[str] = set()
        self._reader, self._paths = reader, readings.value.all_paths
        self._fractions = [c for c in reader.unread() if _squeezed(c) in _FRACTIONS and c not in self._row_quality]
        self._others = dict.fromkeys(reader.unread(), False) if readings.shape == "long" else {}
        self._unread = self._unknown or [c for c in reader.unread() if c not in self._row_quality]
        self._tagged: dict[str, bool] = {}
        self._letters: dict[str, bool] = {}
        self._zoned = dict.fromkeys(_zoned(readings, reader.timezone), False)
        self._times = [path for path in readings.ts.all_paths if path in self._names]
        self._is_local = bool(self._times) and readings.ts.unit in LOCAL_UNITS
        parts = (readings.asset, readings.sensor, readings.tag)
        self._labels = [path for part in parts if part is not None for path in part.all_paths if path in self._names]
        self._units = {c: dict[str, str]() for c in reader.unread() if _squeezed(c) in _UNITS}
        self._mixed: set[str] = set()
        self._inverted = _inverted(readings)

    def inspect(self, records: pa.RecordBatch) -> None:
        """Note which unnamed columns contain values (a delimiter at the end of each line makes an empty one), which
        contain the value where the mapping's column is empty, and which contain names of tags.
        """
        for column in self._row_quality:
            self._letters[column] = self._letters.get(column, True) and _has_letters(self._cells(records, column))
        for column in self._zoned:
            self._zoned[column] |= _is_local(self._cells(records, column))
        self._is_local = self._is_local and all(_is_local(self._cells(records, column)) for column in self._times)
        for column in self._units:
            self._inspect_units(records, column)
        self._inspect_values(records)
        self._inspect_tags(records)
        for column, kind in self._companions.items():
            if kind == "unnamed" and column not in self._filled:
                texts = records.column(self._names.index(column))
                if not pc.all(is_empty(texts)).as_py():
                    self._filled.add(column)

    def watched(self) -> frozenset[str]:
        """The unused columns of which any record may change the note, after those that were inspected."""
        return frozenset((*self._units, *self._row_quality, *self._others))

    def _cells(self, records: pa.RecordBatch, column: str) -> pa.Array:
        return records.column(self._names.index(column)).slice(0, FEW)

    def _inspect_units(self, records: pa.RecordBatch, column: str) -> None:
        """Note a column of units that has several of one tag: its values would be mixed."""
        cells = [records.column(self._names.index(name)) for name in (*self._labels, column)]
        units = self._units[column]
        if column in self._mixed or len(units) > _MOST_UNITS or not all(map(is_text, cells)):
            return
        for pair in pc.unique(pc.binary_join_element_wise(*cells, "\0")).to_pylist():
            tag, _, unit = (pair or "").rpartition("\0")
            if unit.strip() and units.setdefault(tag, unit.strip()) != unit.strip():
                self._mixed.add(column)

    def _inspect_values(self, records: pa.RecordBatch) -> None:
        """Keep the columns that have a number only where the value's columns are empty: `intvalue` of Ignition."""
        values = [records.column(self._names.index(path)) for path in self._paths if path in self._names]
        if not values or not self._others:
            return
        empty = reduce(pc.and_, map(_is_nothing, values))
        for column in list(self._others):
            there = pc.invert(_is_nothing(records.column(self._names.index(column))))
            if pc.any(pc.and_(there, pc.invert(empty))).as_py():
                del self._others[column]
            elif pc.any(there).as_py():
                texts = as_texts(records.column(self._names.index(column))).filter(there).slice(0, FEW)
                if pc.all(pc.match_substring_regex(texts, _NUMBER)).as_py():
                    self._others[column] = True
                else:
                    del self._others[column]

    def _inspect_tags(self, records: pa.RecordBatch) -> None:
        """Note the columns that give no readings and whose first cells are tags of the site."""
        for column in self._unread:
            if column in self._tagged:
                continue
            if is_text(cells := self._cells(records, column)):
                tags = {text.strip() for text in cells.to_pylist() if text and text.strip()}
                self._tagged[column] = bool(tags) and all(map(self._reader.has_tag, tags))

    def report(self, tally: Tally) -> None:
        """Add the columns to `tally`, after the last block."""
        kinds = {c: k for c, k in self._companions.items() if k != "unnamed" or c in self._filled}
        kinds |= {column: "value" for column, is_value in self._others.items() if is_value}
        kinds |= {column: "tags" for column, has_tags in self._tagged.items() if has_tags}
        kinds |= self._reader.odd_instants() | dict.fromkeys(self._fractions, "fraction")
        kinds |= {column: "zone" for column, is_local in self._zoned.items() if is_local}
        kinds |= dict.fromkeys(self._mixed, "units") | dict.fromkeys(self._inverted, "inverted")
        kinds |= {column: "letters" if self._letters.get(column) else "row" for column in self._row_quality}
        tally.companions |= kinds
        tally.local |= self._is_local
        told = {
            *self._companions,
            *kinds,
            *tally.unknown_columns,
        }  # another table of the file may have the same columns
        tally.unknown_columns.extend(c for c in self._unknown if c not in told)


def _is_nothing(column: pa.Array) -> pa.BooleanArray:
    """Where a column has no value, or a database's word for none."""
    blank = is_blank(column)
    if not is_text(column):
        return blank
    return pc.or_(blank, pc.is_in(pc.utf8_lower(column), pa.array(["null", "nan", "\\n", "none", "(null)"])))


def _inverted(readings: ReadingsMapping) -> tuple[str, ...]:
    """The column of a quality that is true for bad values by its name, and is read as true for good ones."""
    quality = readings.quality
    if quality is None or quality.scheme != "boolean" or quality.good or quality.bad:
        return ()
    return tuple(path for path in quality.all_paths if _squeezed(path) in _BAD_IF_TRUE)


def _zoned(readings: ReadingsMapping, timezone: str) -> Iterable[str]:
    """The columns of local times whose names state a zone, which may be another one than that of the mapping."""
    ts = readings.ts
    if ts.timezone is not None or ts.unit not in LOCAL_UNITS:
        return ()
    named = [(path, found[0]) for path in ts.all_paths if (found := _ZONE.search(path))]
    return [path for path, zone in named if not (timezone == "UTC" and zone in ("UTC", "GMT"))]


def _is_local(cells: pa.Array) -> bool:
    """Whether instants have no offset of their own."""
    if not is_text(cells):
        return not (pa.types.is_timestamp(cells.type) and cells.type.tz is not None)
    return not pc.any(pc.match_substring_regex(cells, _OFFSET)).as_py()


def _has_letters(cells: pa.Array) -> bool:
    """Whether the cells of a quality are empty or the letters of FactoryTalk's data logs."""
    texts = {(text or "").strip().upper() for text in cells.to_pylist()} if is_text(cells) else set()
    return bool(texts & _LETTERS) and texts <= _LETTERS | {""}


def is_row_quality(column: str) -> bool:
    """Whether a column looks like the quality of a whole record."""
    return _squeezed(column) in _ROW_QUALITY


def is_bad_if_true(column: str) -> bool:
    """Whether a column, by its name, is true for bad values of whole records, such as BadFlag."""
    return _squeezed(column) in _BAD_IF_TRUE - _DOUBTFUL


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
