"""A column of instants: the same results as `timestamps.compile_instant`, as arrays. Used by imports and the stream.

Gateways and historians write few different layouts. Texts of one length are read layout by layout, by digit arithmetic
on a matrix of characters, with the same checks as the calendar's. Texts without a layout, and local times close to a
clock change, go through `compile_instant`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import as_texts, is_instant
from eugenie_cli.readings.columns.local_time import LocalTime
from eugenie_cli.readings.columns.number_layouts import Layout
from eugenie_cli.readings.columns.text_blocks import Blocks, blocks_of_column, blocks_of_members, has_runs, run_starts
from eugenie_cli.readings.columns.timestamp_layouts import layouts
from eugenie_cli.readings.number_units import COUNTS, DAY_MS, OF_1970
from eugenie_cli.readings.timestamps import MAX_INSTANT, MIN_INSTANT, ToInstant, compile_instant, zone

Read = tuple["NDArray[np.int64]", "NDArray[np.bool_]"]
"""N instants in ms since 1970 UTC, and a mask [N] of those that could be read; the others are 0."""

ATTEMPTS = 8
"""Layouts tried on texts of one length."""
FEWEST = 16
"""The smallest number of texts for which another layout is faster than the scalar rule."""
REMEMBERED = 1_000
"""Layouts kept in memory: a gateway uses few, but hostile messages could bring any number."""

_ANY_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_BLANKS = " \t"


class Instants:
    """Reads columns of one timestamp field. Arguments and errors: as for `compile_instant`.

    It reads exactly the texts that `compile_instant` reads, with the same results.
    """

    def __init__(
        self,
        unit: str = "iso",
        format: str | Sequence[str] | None = None,
        timezone: str = "UTC",
        ambiguous: str = "reject",
        joined: bool = False,
        fraction: str = "ms",
    ) -> None:
        self._scalar = compile_instant(unit, format, timezone, ambiguous, joined, fraction)
        self._scalar_iso = compile_instant("iso", None, timezone, ambiguous)
        self._layout_of = layouts(unit, format, joined, fraction)
        self._layouts: dict[bytes, Layout] = {}
        self._local = LocalTime(zone(timezone), ambiguous)
        self._integers = COUNTS[unit][:2] if unit in OF_1970 and not format and not joined else None

    def of_members(self, members: Sequence[Any]) -> Read:
        """Members [N] of messages: texts, numbers, or other types, which are not instants."""
        kinds = set(map(type, members))
        if self._integers is not None and kinds == {int}:
            ts, read = _of_integers(members, *self._integers)
        else:
            if kinds != {str}:
                members = [_text(member) for member in members]
            ts, read = self._of_blocks(blocks_of_members(members), len(members))
        rest = np.flatnonzero(~read).tolist()
        return self._by_rule(ts, read, rest, [_text(members[row]) for row in rest], self._scalar)

    def of_column(self, column: pa.Array) -> Read:
        """A normalized Arrow column (`arrow_columns`); a null is not an instant.

        Timestamps with a zone are instants; those without one, and dates (midnight), are local times. They need no
        unit or format; numbers and texts do.
        """
        if is_instant(column):
            return self._of_times(column)
        if self._integers is not None and pa.types.is_integer(column.type):
            present = column.is_valid().to_numpy(zero_copy_only=False)
            numbers = column.fill_null(0).cast(pa.int64(), safe=False).to_numpy()
            times, over = self._integers
            read = present & (numbers >= 0) & (numbers // over <= MAX_INSTANT // times)
            return np.where(read, numbers, 0) * times // over, read
        return self.of_texts(as_texts(column))

    def _of_times(self, column: pa.Array) -> Read:
        is_local = pa.types.is_date(column.type) or column.type.tz is None
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("s"))
        times, over = COUNTS[column.type.unit][:2]
        read = column.is_valid().to_numpy(zero_copy_only=False)
        numbers = column.cast(pa.int64()).fill_null(0).to_numpy()
        read &= (numbers // over >= -DAY_MS // times) & (numbers // over <= (MAX_INSTANT + DAY_MS) // times)
        ts = np.where(read, numbers, 0) * times // over
        if is_local:
            rest = read
            ts, clear = self._local.to_utc(ts)
            read = read & clear
        read &= (ts >= MIN_INSTANT) & (ts <= MAX_INSTANT)
        ts = np.where(read, ts, 0)
        if is_local and len(rows := np.flatnonzero(rest & ~read)):
            texts = as_texts(column.take(pa.array(rows))).to_pylist()
            return self._by_rule(ts, read, rows.tolist(), texts, self._scalar_iso)
        return ts, read

    def of_texts(self, texts: pa.StringArray) -> Read:
        """An Arrow column of texts; a null is not an instant. Of equal neighbours, only one is read."""
        if not has_runs(texts):
            return self._of_texts(texts)
        starts = run_starts(texts)
        if starts is None:
            encoded = texts.dictionary_encode()
            ts, read = self._of_texts(encoded.dictionary)
            index = encoded.indices.to_numpy()
            return ts[index], read[index]
        ts, read = self._of_texts(texts.take(pa.array(starts)))
        lengths = np.diff(starts, append=len(texts))
        return np.repeat(ts, lengths), np.ones(len(texts), bool) if read.all() else np.repeat(read, lengths)

    def _of_texts(self, texts: pa.StringArray) -> Read:
        ts, read = self.of_plain_texts(texts)
        rest = np.flatnonzero(~read)
        unread = texts.take(pa.array(rest)).to_pylist() if len(rest) else []
        return self._by_rule(ts, read, rest.tolist(), unread, self._scalar)

    def of_plain_texts(self, texts: pa.StringArray) -> Read:
        """As `of_texts`, without the texts that only the scalar rule can read."""
        return self._of_blocks(blocks_of_column(texts), len(texts))

    @staticmethod
    def _by_rule(
        ts: NDArray[np.int64], read: NDArray[np.bool_], rows: list[int], texts: list[str | None], rule: ToInstant
    ) -> Read:
        known: dict[str | None, int | None] = {None: None, "": None}
        for row, text in zip(rows, texts, strict=True):
            if text not in known:
                try:
                    known[text] = rule((text or "").strip(_BLANKS))
                except ValueError:
                    known[text] = None
            instant = known[text]
            if instant is not None:
                ts[row], read[row] = instant, True
        return ts, read

    def _of_blocks(self, blocks: Blocks, count: int) -> Read:
        ts, read = np.zeros(count, np.int64), np.zeros(count, bool)
        if self._layout_of is None:
            return ts, read
        for rows, characters in blocks:
            if rows is None:
                self._read(characters, ts, read)
                break
            own_ts, own_read = np.zeros(len(rows), np.int64), np.zeros(len(rows), bool)
            self._read(characters, own_ts, own_read)
            ts[rows], read[rows] = own_ts, own_read
        return ts, read

    def _layout(self, sample: bytes) -> Layout | None:
        """The layout of texts like this one."""
        kind = sample.translate(_ANY_DIGIT)
        layout = self._layouts.get(kind)
        if layout is None and self._layout_of is not None and sample.isascii() and sample == sample.strip(b" \t"):
            layout = self._layout_of(sample.decode("ascii"))
            if layout is not None and len(self._layouts) < REMEMBERED:
                self._layouts[kind] = layout
        return layout

    def _read(self, characters: NDArray[np.uint8], ts: NDArray[np.int64], read: NDArray[np.bool_]) -> None:
        """Fill in the instants of texts of one length, uint8 [length, N], that match one of their layouts."""
        left: NDArray[np.int64] | None = None
        for attempt in range(ATTEMPTS):
            own = characters if left is None else characters[:, left]
            count = own.shape[1]
            if count < FEWEST:
                return
            # samples from the whole column, so that garbage at its beginning does not hide the layout of the rest
            sample = bytes(own[:, attempt * count // ATTEMPTS])
            layout = self._layout(sample)
            if layout is None:
                continue
            instants, fits = layout.read(own)
            good = fits & (instants >= -DAY_MS)  # no local time is further from UTC
            if layout.is_local:
                instants, clear = self._local.to_utc(np.where(good, instants, 0))
                good &= clear
            good &= (instants >= MIN_INSTANT) & (instants <= MAX_INSTANT)
            rows = np.flatnonzero(good) if left is None else left[good]
            ts[rows], read[rows] = instants[good], True
            left = np.flatnonzero(~fits) if left is None else left[~fits]


def _text(member: Any) -> str:
    """A member as text for the scalar rule; empty for anything other than text or a number."""
    kind = type(member)
    return member if kind is str else repr(member) if kind is int or kind is float else ""


def _of_integers(members: Sequence[int], times: int, over: int) -> Read:
    try:
        numbers = np.array(members, np.int64)
    except OverflowError:
        numbers = np.array([member if abs(member) < 1 << 62 else -1 for member in members], np.int64)
    read = (numbers >= 0) & (numbers // over <= MAX_INSTANT // times)
    return np.where(read, numbers, 0) * times // over, read
