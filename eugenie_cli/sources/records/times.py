"""The instants of a block's records, from one column or several; local times that occur twice, by the rows' order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import (
    BLANKS,
    as_texts,
    is_blank,
    is_instant,
    is_temporal,
    is_text,
)
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.members import paths_of
from eugenie_cli.readings.stated import date_of, rule_of, start_of
from eugenie_cli.readings.timestamp_formats import format_pattern
from eugenie_cli.readings.timestamps import JOINER, formats_of
from eugenie_cli.sources.records.days import UNCLEAR_DAY, DatedTimes, DayCounter
from eugenie_cli.sources.records.elapsed import Elapsed
from eugenie_cli.sources.records.lone_dates import LONE_DATE, lone_dates
from eugenie_cli.sources.records.row_order import RowOrder

_NO_DATE = ("1899-12-30 ", "1899-12-31 ", "1900-01-01 ")
"""The days that spreadsheets and databases put before a time without a date."""
_MIDNIGHT = r" 00:00:00(?:\.0*)?$"

FEW = 64
"""Texts that usually show that a column has times of day."""
SEVERAL = 3
"""Months that are enough to doubt that readings were taken on one day of each."""


class Times(NamedTuple):
    """The instants of N records."""

    ts: NDArray[np.int64]
    """[N]: ms since 1970 UTC."""
    absent: NDArray[np.bool_]
    """[N]: whether the record has none."""
    read: NDArray[np.bool_]
    """[N]: whether it could be read."""


class InstantsOfRecords:
    """Reads the `ts` of a mapping from the columns of blocks."""

    def __init__(self, part: Mapping[str, Any], timezone: str) -> None:
        self.paths = paths_of(part)
        start = start_of(part, timezone)
        self._elapsed = None if start is None else Elapsed(part["unit"], start)
        self._dated = DatedTimes(part, timezone) if date_of(part, timezone) is not None else None
        rule = rule_of({**part, "unit": "iso"} if self._elapsed else part, timezone)
        self.only_dates: bool | None = None
        """Whether all texts so far were dates without a time of day, which a format reads as midnight."""
        formats = () if self._dated else formats_of(rule.format)
        self._has_format = bool(formats)
        self._calendar = DaysAndMonths(formats[0]) if len(formats) == 1 else None
        self._order = RowOrder() if part.get("ambiguous") == "order" else None
        rules = (rule,) if self._order is None else tuple(rule._replace(ambiguous=one) for one in ("first", "second"))
        self._readers = [Instants(*each) for each in rules]
        # the texts of typed fields are ISO 8601, whatever the format of others
        self._typed = [Instants(*each._replace(unit="iso", format=None)) for each in rules] if rule.joined else []

    @property
    def may_be_exchanged(self) -> bool:
        """Whether all instants so far are on one day of several months, as if the format exchanged day and month."""
        return self._calendar is not None and self._calendar.may_be_exchanged

    @property
    def doubt(self) -> str:
        """Why an instant is rejected that can be read by itself."""
        return UNCLEAR_DAY if self._dated is not None else LONE_DATE if self._has_format else "rejected"

    def so_far(self) -> SoFar:
        """What `go_back` needs to read a block once more."""
        order = None if self._order is None else self._order.copy()
        return SoFar(order, None if self._dated is None else self._dated.counter.copy())

    def go_back(self, so_far: SoFar) -> None:
        """Forget the blocks that were read since `so_far`."""
        self._order = so_far.order
        if self._dated is not None and so_far.days is not None:
            self._dated.counter = so_far.days

    def read(
        self, columns: Mapping[str, pa.Array], keys: NDArray[np.integer], paths: Sequence[str] | None = None
    ) -> Times:
        """The instants of a block with these normalized columns. `keys` int [N]: what each record is about; negative
        if that is unknown. `paths`: other columns than those of `ts`, read by the same rules.
        """
        paths = self.paths if paths is None else paths
        count = len(keys)
        fields = [columns[path] for path in paths if path in columns]
        if not fields or len(fields) < len(paths):
            none = np.zeros(count, bool)
            return Times(np.zeros(count, np.int64), ~none, none)
        readers = self._readers
        if self._typed and is_typed(fields) and self._dated is None:
            readers = self._typed
        column = joined(fields)
        if self._elapsed is not None:
            ts, read = self._elapsed.of_column(column)
            return Times(ts, ~read & _any_blank(fields), read)
        if self._dated is not None:
            column = self._dated.dated(field_texts(column), keys)
        if self._has_format and self.only_dates is not False and is_text(column):
            self.only_dates = are_dates(column.slice(0, FEW)) and are_dates(column)
        if self._calendar is not None and is_text(column):
            self._calendar.look(column)
        results = [reader.of_column(column) for reader in readers]
        ts, read = results[0]
        if self._has_format and not self.only_dates and is_text(column):
            read = read & ~lone_dates(column, keys, ts, read)
        if self._order is not None:
            ts, read = self._order.resolved(keys, ts, results[1][0], read)
        if read.all():
            return Times(ts, ~read, read)
        return Times(ts, ~read & _any_blank(fields), read)


def _any_blank(fields: list[pa.Array]) -> NDArray[np.bool_]:
    blank = (is_blank(field).to_numpy(zero_copy_only=False) for field in fields)
    return np.asarray(reduce(or_, blank), bool)


class SoFar(NamedTuple):
    """What is remembered of the blocks before one."""

    order: RowOrder | None
    days: DayCounter | None


class DaysAndMonths:
    """Days and months in texts of a format with numbers for both: 01/02 to 01/12 may be eleven days of January."""

    def __init__(self, format: str) -> None:
        self._pattern = format_pattern(format) if "%d" in format and "%m" in format else None
        self._days: set[int] = set()
        self._months: set[int] = set()

    @property
    def may_be_exchanged(self) -> bool:
        """See `InstantsOfRecords`."""
        return len(self._days) == 1 and len(self._months) >= SEVERAL

    def look(self, texts: pa.StringArray) -> None:
        """Look at a few of the texts, from all parts of a column."""
        if self._pattern is None or len(self._days) > 1 or not len(texts):
            return
        for text in texts.take(np.linspace(0, len(texts) - 1, FEW).astype(np.int64)).to_pylist():
            if text is not None and (match := self._pattern.fullmatch(text.strip(BLANKS))) is not None:
                self._days.add(int(match["d"]))
                self._months.add(int(match["m"]))


def are_dates(texts: pa.StringArray) -> bool:
    """Whether texts are too short for a date with a time: at most three numbers with eight digits in all."""
    numbers = pc.max(pc.count_substring_regex(texts, r"[0-9]+")).as_py()
    digits = pc.max(pc.count_substring_regex(texts, r"[0-9]")).as_py()
    return numbers is not None and numbers <= 3 and digits <= 8


def is_typed(fields: list[pa.Array]) -> bool:
    """Whether the fields of an instant are typed, so that their texts are ISO 8601."""
    return bool(fields) and any(map(is_temporal, fields)) and not any(map(is_text, fields))


def joined(fields: list[pa.Array]) -> pa.Array:
    """The fields of an instant as one column: unchanged if there is one, else texts; null if one of them is blank."""
    return fields[0] if len(fields) == 1 else pc.binary_join_element_wise(*map(field_texts, fields), JOINER)


def field_texts(field: pa.Array) -> pa.StringArray:
    """One of several fields as trimmed text, null if blank. A timestamp at midnight is a date; one at the beginning of
    a spreadsheet's calendar is a time.
    """
    texts = as_texts(field)
    if is_text(field):
        texts = pc.utf8_trim(texts, BLANKS)
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    if not is_instant(field):
        return texts
    without_date = reduce(pc.or_, (pc.starts_with(texts, day) for day in _NO_DATE))
    date = pc.replace_substring_regex(texts, _MIDNIGHT, "")
    return pc.if_else(without_date, pc.utf8_slice_codeunits(texts, len(_NO_DATE[0])), date)
