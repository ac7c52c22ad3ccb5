"""The time column of a table or query: how a window's bounds are bound, and to which window each row belongs.

A query returns at least the rows of its span. Each row has one *key*, an instant, and is kept only if that lies in the
span: so each row is read exactly once, even one whose local time occurs twice, or whose text is not an instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import is_text, normalized
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.number_units import DAY_MS, EXCEL_1970
from eugenie_cli.sources.windows.reader import Span

TimeKind = Literal["instant", "utc", "local", "number", "text"]
"""instant: with a zone; utc: without one, but known to be UTC; local: without one; number: since 1970, or days; text:
ISO 8601."""

NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
DAYS = {"excel": 1, "wincc": 1_000_000}
"""Parts of a local day since 1899-12-30."""
ROUNDING = 1e-7
"""Days by which a day with a fraction may be rounded: 9 ms."""
FARTHEST = timedelta(hours=14)
"""The largest offset of a local time from UTC."""
SLACK_MS = 1_000
"""How far a query may go beyond its bounds: what a column that is rounded to seconds may need."""


@dataclass(frozen=True)
class TimeColumn:
    """The column of `ts`. `unit`: of numbers; `zone`: of local times."""

    kind: TimeKind
    unit: str
    zone: ZoneInfo

    @staticmethod
    def of(kind: TimeKind, ts: Mapping[str, Any], site_zone: str) -> TimeColumn:
        """`ts`: the mapping's part."""
        return TimeColumn(kind, ts["unit"], ZoneInfo(ts.get("timezone") or site_zone))

    def bound(self, span: Span) -> tuple[Any, Any]:
        """Values to which the column is compared, `>=` and `<`, for at least the rows of a span."""
        if self.kind == "number":
            return self._numbers(span)
        if self.kind == "text":
            first, last = _utc(span.start_ms) - FARTHEST, _utc(span.end_ms) + FARTHEST
            return f"{first:%Y-%m-%d %H:%M:%S}", f"{last:%Y-%m-%d %H:%M:%S}"
        if self.kind == "local":
            return self._walls(span)
        first, last = _utc(span.start_ms), _utc(span.end_ms)
        return (first, last) if self.kind == "instant" else (first.replace(tzinfo=None), last.replace(tzinfo=None))

    def within(self, column: pa.Array, span: Span, instants: Instants) -> NDArray[np.bool_]:
        """Whether the key of each row [N] is in a span. `instants`: the mapping's reader of the column."""
        column = _dated(normalized(column))
        if pa.types.is_timestamp(column.type):
            return _inside(self._of_times(column), span)
        ts, read = instants.of_column(column)
        inside = read & _inside(ts, span)
        if not read.all():
            unread = column.filter(pa.array(~read))
            inside[~read] = _texts_inside(unread, span) if is_text(unread) else _inside(self._of_numbers(unread), span)
        return inside

    def strays(self, column: pa.Array, span: Span) -> NDArray[np.bool_]:
        """Rows [N] outside the bounds that their query was given, if the column is as `kind` says."""
        if self.kind == "text" or (self.kind in ("utc", "local") and is_text(column)):
            return np.zeros(len(column), bool)
        column = _dated(column)
        first, last = self.bound(Span(max(0, span.start_ms - SLACK_MS), span.end_ms + SLACK_MS))
        if pa.types.is_timestamp(column.type):
            low, high = (pa.scalar(bound, pa.timestamp("us", column.type.tz)) for bound in (first, last))
            column = column.cast(low.type, safe=False)
        else:
            low, high = first, last
            if is_text(column):  # PostgreSQL's numeric
                column = column.cast(pa.float64())
        inside = pc.and_(pc.greater_equal(column, low), pc.less(column, high))
        return ~np.asarray(pc.fill_null(inside, True).to_numpy(zero_copy_only=False), bool)

    def _numbers(self, span: Span) -> tuple[float, float]:
        """Since 1970: whole numbers, so that an index on integers is used."""
        if self.unit in DAYS:
            first, last = ((wall - datetime(1899, 12, 30)) / timedelta(days=1) for wall in self._walls(span))
            return (first - ROUNDING) * DAYS[self.unit], (last + ROUNDING) * DAYS[self.unit]
        per = NANOSECONDS[self.unit]
        return span.start_ms * 1_000_000 // per, -(-span.end_ms * 1_000_000 // per)

    def _walls(self, span: Span) -> tuple[datetime, datetime]:
        """Local times between which those of a span lie, whatever clock changes are in it."""
        instants = [*range(span.start_ms, span.end_ms, DAY_MS), span.end_ms]
        offsets = [_utc(instant).astimezone(self.zone).utcoffset() or timedelta() for instant in instants]
        first, last = _utc(span.start_ms) + min(offsets), _utc(span.end_ms) + max(offsets)
        return first.replace(tzinfo=None), last.replace(tzinfo=None)

    def _of_times(self, column: pa.Array) -> NDArray[np.int64]:
        if column.type.tz is None and self.kind == "local":
            column = pc.assume_timezone(column, self.zone.key, ambiguous="earliest", nonexistent="earliest")
        per = NANOSECONDS[column.type.unit]
        numbers = column.cast(pa.int64()).fill_null(0).to_numpy()
        return numbers * per // 1_000_000 if per >= 1_000_000 else numbers // (1_000_000 // per)

    def _of_numbers(self, column: pa.Array) -> NDArray[np.int64]:
        """Keys of numbers that are no instants, such as the repeated hour of local days."""
        numbers = column.cast(pa.float64(), safe=False).fill_null(0).to_numpy()
        if self.unit in DAYS:
            wall_ms = np.round((numbers / DAYS[self.unit] - EXCEL_1970) * DAY_MS).astype(np.int64)
            walls = pa.array(wall_ms).cast(pa.timestamp("ms"))
            local = pc.assume_timezone(walls, self.zone.key, ambiguous="earliest", nonexistent="earliest")
            return local.cast(pa.int64()).to_numpy()
        return np.floor(numbers * (NANOSECONDS[self.unit] / 1e6)).astype(np.int64)


def _dated(column: pa.Array) -> pa.Array:
    """A column of dates as their midnights."""
    return column.cast(pa.timestamp("s")) if pa.types.is_date(column.type) else column


def _inside(ts: NDArray[np.int64], span: Span) -> NDArray[np.bool_]:
    return (ts >= span.start_ms) & (ts < span.end_ms)


def _texts_inside(texts: pa.Array, span: Span) -> NDArray[np.bool_]:
    """Texts that are no instants are placed in their order as texts, which is how the database compares them."""
    first, last = (_utc(bound).strftime(_ISO) for bound in (span.start_ms, span.end_ms))
    plain = pc.replace_substring(pc.fill_null(texts, ""), "T", " ")
    return np.asarray(pc.and_(pc.greater_equal(plain, first), pc.less(plain, last)).to_numpy(zero_copy_only=False))


_ISO = "%Y-%m-%d %H:%M:%S.%f"


def _utc(instant_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=instant_ms)
