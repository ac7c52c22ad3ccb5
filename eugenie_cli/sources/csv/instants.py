"""Columns of timestamps -> milliseconds, exactly as `readings.timestamps` reads each of them.

Texts of one length share a layout (which digits are the year ...), so a column becomes a matrix of bytes and
a few operations on its columns. Whatever fits no layout goes through `readings.timestamps`, each distinct text
once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eugenie_cli.readings import timestamps as rules
from eugenie_cli.readings.format_check import says_utc
from eugenie_cli.readings.timestamp_formats import MAX_OFFSET_MINUTES

_ISO = re.compile(rules.ISO_PATTERN)
_LAYOUTS_A_LENGTH = 4  # texts of one length in more than this many layouts: the slow way is quick enough
_HOUR = 3_600_000
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int32)
_DIRECTIVES = {
    "Y": ("year", 4),
    "m": ("month", 2),
    "d": ("day", 2),
    "H": ("hour", 2),
    "M": ("minute", 2),
    "S": ("second", 2),
}
_MS_PER_UNIT = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}


@dataclass(frozen=True)
class Layout:
    """Where the parts of a timestamp stand. `fields`: name -> (start, width); `literals`: position -> allowed
    bytes.
    """

    fields: dict[str, tuple[int, int]]
    literals: dict[int, bytes]
    zone: str = ""
    """"" for local time, "Z", or "+" for an offset from UTC (fields zone_hour, zone_minute; its sign is a
    literal).
    """


class InstantColumn:
    """Reads columns of one timestamp field; the arguments are those of `readings.timestamps.compile_instant`."""

    def __init__(self, unit: str, format: str | None, timezone: str) -> None:
        self._scalar = rules.compile_instant(unit, format, timezone)
        self._zone = rules.zone(timezone)
        self._unit, self._format = unit, format
        self._offsets: dict[int, int | None] = {}

    def __call__(self, texts: pa.StringArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(ts int64 [N], read bool [N]); ts is 0 where a text could not be read."""
        ts = np.zeros(len(texts), np.int64)
        read = np.zeros(len(texts), bool)
        if self._unit == "iso" or self._format is not None:
            self._read_layouts(texts, ts, read)
        elif self._unit in _MS_PER_UNIT:
            self._read_epoch(texts, ts, read)
        read &= (ts >= rules.MIN_INSTANT) & (ts <= rules.MAX_INSTANT)
        self._read_rest(texts, ts, read)
        return ts, read

    def _read_rest(self, texts: pa.StringArray, ts: NDArray[np.int64], read: NDArray[np.bool_]) -> None:
        rest = np.flatnonzero(~read)
        if not len(rest):
            return
        encoded = texts.take(pa.array(rest)).dictionary_encode()
        instants, known = [], []
        for text in encoded.dictionary.to_pylist():
            try:
                instants.append(self._scalar(text.strip(" \t")))
                known.append(True)
            except ValueError:
                instants.append(0)
                known.append(False)
        indices = encoded.indices.to_numpy()
        ts[rest] = np.array(instants, np.int64)[indices]
        read[rest] = np.array(known, bool)[indices]

    # -- epoch -------------------------------------------------------------------------------------

    def _read_epoch(self, texts: pa.StringArray, ts: NDArray[np.int64], read: NDArray[np.bool_]) -> None:
        times, over = _MS_PER_UNIT[self._unit]
        whole = pc.match_substring_regex(texts, "^[0-9]{1,18}$")
        numbers = pc.fill_null(pc.cast(pc.if_else(whole, texts, None), pa.int64()), 0).to_numpy()
        taken = whole.to_numpy(zero_copy_only=False) & (numbers <= rules.MAX_INSTANT // times * over + over)
        ts[taken] = numbers[taken] * times // over
        read |= taken
        if self._unit == "s" and not read.all():
            parted = pc.match_substring_regex(texts, r"^[0-9]{1,9}\.[0-9]{1,9}$|^1[0-9]{9}\.[0-9]{1,9}$")
            exact = pc.cast(pc.if_else(parted, texts, None), pa.decimal128(38, 9))
            exact = pc.fill_null(exact, pa.scalar(0, pa.decimal128(38, 9)))
            # the low half of each 128-bit integer: nanoseconds, below 2^63 until 2262
            nanoseconds = np.frombuffer(exact.buffers()[1], np.int64)[2 * exact.offset :: 2][: len(exact)]
            mask = parted.to_numpy(zero_copy_only=False)
            ts[mask] = nanoseconds[mask] // 1_000_000
            read |= mask

    # -- layouts -----------------------------------------------------------------------------------

    def _read_layouts(self, texts: pa.StringArray, ts: NDArray[np.int64], read: NDArray[np.bool_]) -> None:
        for rows, characters in _by_length(texts):
            length = characters.shape[0]
            todo = np.ones(len(rows), bool)
            for _ in range(_LAYOUTS_A_LENGTH):
                left = np.flatnonzero(todo)
                if not len(left):
                    break
                sample = bytes(characters[:, left[0]]).decode("latin-1")
                layout = _iso_layout(sample) if self._format is None else _format_layout(self._format, length)
                if layout is None:
                    todo[left[0]] = False  # this one the slow way; another may show a layout
                    continue
                own = characters if len(left) == len(rows) else characters[:, left]
                instants, fits = self._apply(layout, own)
                ts[rows[left[fits]]] = instants[fits]
                read[rows[left[fits]]] = True
                todo[left[fits]] = False
                todo[left[0]] = False

    def _apply(self, layout: Layout, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(instants [N], fits [N]) of texts, given as bytes [length, N]."""
        fits = np.ones(characters.shape[1], bool)
        for position, allowed in layout.literals.items():
            row = characters[position]
            fits &= np.logical_or.reduce([row == code for code in allowed])
        values: dict[str, NDArray[np.int32]] = {}
        for name, (start, width) in layout.fields.items():
            number = np.zeros(characters.shape[1], np.int32)
            for position in range(start, start + width):
                digit = characters[position] - np.uint8(48)  # wraps round below "0": then above 9 as well
                fits &= digit <= 9
                number = number * 10 + digit
            values[name] = number
        wall = _wall_ms(values, layout.fields.get("fraction", (0, 0))[1], fits)
        if layout.zone == "Z":
            return wall, fits
        if layout.zone:
            minutes = values["zone_hour"] * 60 + values.get("zone_minute", 0)
            fits &= (minutes <= MAX_OFFSET_MINUTES) & (values.get("zone_minute", 0) <= 59)
            return wall - minutes.astype(np.int64) * (-60_000 if layout.zone == "-" else 60_000), fits
        return self._from_local(wall, fits)

    def _from_local(
        self, wall: NDArray[np.int64], fits: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if self._zone is timezone.utc:
            return wall, fits
        hours, inverse = np.unique(np.where(fits, wall, 0) // _HOUR, return_inverse=True)
        offsets = [self._offset_of_hour(int(hour)) for hour in hours]
        clear = np.array([offset is not None for offset in offsets], bool)
        shift = np.array([offset or 0 for offset in offsets], np.int64)
        return wall - shift[inverse], fits & clear[inverse]

    def _offset_of_hour(self, hour: int) -> int | None:
        """The offset from UTC all through an hour of local time; None where it changes or is not clear."""
        if hour not in self._offsets:
            start = datetime(1970, 1, 1) + timedelta(hours=hour)
            try:
                first = rules.utc_offset_ms(start, self._zone)
                last = rules.utc_offset_ms(start + timedelta(hours=1, microseconds=-1), self._zone)
                self._offsets[hour] = first if first == last else None
            except ValueError:
                self._offsets[hour] = None
        return self._offsets[hour]


def _by_length(texts: pa.StringArray) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """(rows [N], bytes [length, N]) of the texts of each length."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    buffer = texts.buffers()[2]
    characters = np.frombuffer(buffer, np.uint8) if buffer is not None else np.zeros(0, np.uint8)
    lengths = np.diff(offsets)
    for length in np.unique(lengths):
        if length == 0:
            continue
        rows = np.flatnonzero(lengths == length)
        if len(rows) == len(texts):
            block = characters[offsets[0] : offsets[-1]].reshape(len(texts), length)
        else:
            block = characters[offsets[:-1][rows][:, None] + np.arange(length)]
        yield rows, np.ascontiguousarray(block.T)


def _wall_ms(values: dict[str, NDArray[np.int32]], digits: int, fits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Milliseconds since 1970 on the text's own clock; `fits` loses what no calendar has."""
    year, month, day = values["year"], values["month"], values["day"]
    hour, minute = values["hour"], values["minute"]
    second = values.get("second", np.int32(0))
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    longest = _DAYS[np.clip(month, 0, 12)] + (leap & (month == 2))
    fits &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= longest)
    fits &= (hour <= 23) & (minute <= 59) & (second <= 59)
    # days from the civil date, with years that begin in March: H. Hinnant, chrono-compatible low-level
    # algorithms
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    seconds = (days.astype(np.int64) * 24 + hour) * 3_600 + minute * 60 + second
    fraction = values.get("fraction", np.int32(0))
    return seconds * 1_000 + fraction * 10 ** max(0, 3 - digits)


def _iso_layout(sample: str) -> Layout | None:
    match = _ISO.match(sample)
    if match is None:
        return None
    names = ("year", "month", "day", "hour", "minute", "second")
    fields = {name: (match.start(n), match.end(n) - match.start(n)) for n, name in enumerate(names, 1) if match[n]}
    literals = {4: b"-", 7: b"-", 10: b"Tt ", 13: b":"}
    if match[6]:
        literals[16] = b":"
    if match[7]:
        literals[19] = b".,"
        fields |= _fraction(match.start(7), match.end(7), literals)
    zone = ""
    if match[8]:
        start, zone = match.start(8), match[8][0].upper()
        if sample[start - 1] == " ":
            literals[start - 1] = b" "
        literals[start] = b"Zz" if zone == "Z" else zone.encode()
        if zone != "Z":
            fields["zone_hour"] = (start + 1, 2)
            if len(match[8]) > 3:
                fields["zone_minute"] = (len(sample) - 2, 2)
            if len(match[8]) == 6:
                literals[start + 3] = b":"
    return Layout(fields, literals, zone)


def _fraction(start: int, end: int, literals: dict[int, bytes]) -> dict[str, tuple[int, int]]:
    """Three digits of a second count; further ones are dropped, but must be digits."""
    for position in range(start + 3, end):
        literals[position] = b"0123456789"
    return {"fraction": (start, min(3, end - start))}


def _format_layout(format: str, length: int) -> Layout | None:
    """The layout of a strptime format whose parts have their full width; None for directives of no fixed
    width.
    """
    fields: dict[str, tuple[int, int]] = {}
    literals: dict[int, bytes] = {}
    position, rest = 0, format
    while rest:
        if rest[0] != "%":
            if (rest[0].isspace() and rest[0] != " ") or not rest[0].isascii():
                return None
            literals[position] = rest[0].encode()
            position, rest = position + 1, rest[1:]
            continue
        directive, rest = rest[1:2], rest[2:]
        if directive in _DIRECTIVES:
            name, width = _DIRECTIVES[directive]
            if name in fields:
                return None
            fields[name] = (position, width)
            position += width
        elif directive == "f" and not rest and 1 <= length - position <= 6:
            fields |= _fraction(position, length, literals)
            position = length
        else:
            return None
    if position != length or not {"year", "month", "day", "hour", "minute"} <= fields.keys():
        return None
    return Layout(fields, literals, "Z" if says_utc(format) else "")
