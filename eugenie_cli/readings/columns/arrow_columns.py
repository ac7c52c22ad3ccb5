"""Arrow columns of any type, in the few types that the rules of a mapping read.

A typed column needs no conversion to text: numbers, booleans and times stay what they are. Text comes as string, large
string or a dictionary of strings. Anything else (binary, lists, structures, durations) is not a measurement.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

BLANKS = " \t"


class UnreadableColumn(ValueError):  # noqa: N818 - named for what it is; the message says why
    """A column of a type that no rule reads."""


def normalized(column: pa.Array) -> pa.Array:
    """The column as string, integer, float, decimal, boolean, timestamp, date, time or null array.

    Raises UnreadableColumn for any other type.
    """
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_float64(kind):  # most columns; a wide export has many
        return column
    if pa.types.is_dictionary(kind):
        return normalized(column.dictionary_decode())
    if pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if is_text(column) or is_temporal(column) or any(is_kind(kind) for is_kind in _READ):
        return column
    raise UnreadableColumn(f"{kind} is neither text nor a number, boolean, timestamp, date or time")


_READ = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null)


def is_text(column: pa.Array) -> bool:
    """Whether a normalized column contains text."""
    return bool(pa.types.is_string(column.type))


def is_temporal(column: pa.Array) -> bool:
    """Whether a normalized column contains timestamps, dates or times of day."""
    return bool(pa.types.is_timestamp(column.type) or pa.types.is_date(column.type) or pa.types.is_time(column.type))


def is_instant(column: pa.Array) -> bool:
    """Whether a normalized column contains timestamps or dates."""
    return is_temporal(column) and not pa.types.is_time(column.type)


def as_texts(column: pa.Array) -> pa.StringArray:
    """A normalized column as text: numbers in full precision, instants in ISO 8601, with `Z` if they have a zone."""
    kind = column.type
    if is_text(column):
        return column
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        utc = column.cast(pa.timestamp(kind.unit))  # the instant on the clock of UTC
        return pc.binary_join_element_wise(utc.cast(pa.string()), "Z", "")
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s")).cast(pa.string())
    return column.cast(pa.string())


def is_empty(column: pa.Array) -> pa.BooleanArray:
    """Where a normalized column has no value: null, or an empty text."""
    return pc.equal(pc.fill_null(column, ""), "") if is_text(column) else pc.is_null(column)


def is_blank(column: pa.Array) -> pa.BooleanArray:
    """Where a normalized column has no value, or a text of blanks."""
    return is_empty(pc.utf8_trim(column, BLANKS)) if is_text(column) else pc.is_null(column)
