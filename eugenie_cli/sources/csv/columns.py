"""Columns of text -> values, quality and words, exactly as `readings` reads each of them.

The common case is one vectorised conversion; what it cannot take goes through the scalar rule, each distinct
text once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eugenie_cli.readings.quality import SCHEMES
from eugenie_cli.readings.values import MAX_VALUE, NUMBER_PATTERN, compile_value, sentinels

T = TypeVar("T")
_BLANKS = " \t"


class ValueColumn:
    """Reads columns of values; the arguments are those of `readings.values.compile_value`."""

    def __init__(self, decimal: str, status: Iterable[str]) -> None:
        status = tuple(status)
        self._scalar = compile_value(decimal, status)
        self._decimal = decimal
        self._sentinels = sentinels(decimal, status)

    def __call__(self, texts: pa.StringArray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(value float64 [N], read bool [N]): NaN where bad quality, or where a text is no value."""
        value, plain = self._numbers(texts)
        read = plain & (np.abs(value) <= MAX_VALUE)  # NaN compares false: whatever is not finite is read again
        value[~read] = np.nan
        for sentinel in self._sentinels:
            value[value == sentinel] = np.nan
        rest = np.flatnonzero(~read)
        if len(rest):
            distinct, index = _distinct(texts.take(pa.array(rest)))
            values = [_or_none(self._scalar, text) for text in distinct]
            value[rest] = np.array([np.nan if v is None else v for v in values], np.float64)[index]
            read[rest] = np.array([v is not None for v in values], bool)[index]
        return value, read

    def _numbers(self, texts: pa.StringArray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        if self._decimal == ".":
            try:
                return pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False).copy(), np.ones(len(texts), bool)
            except pa.ArrowInvalid:
                pass  # some text is no number: find out which
        plain = pc.match_substring_regex(texts, NUMBER_PATTERN[self._decimal])
        # "+1" is a number to the rule and not to the cast: left to the rule
        plain = pc.and_(plain, pc.invert(pc.starts_with(texts, "+")))
        numbers = pc.if_else(plain, texts, None)
        if self._decimal == ",":
            numbers = pc.replace_substring(numbers, ",", ".")
        value = pc.cast(numbers, pa.float64()).to_numpy(zero_copy_only=False).copy()
        return value, plain.to_numpy(zero_copy_only=False)


class QualityColumn:
    """Reads columns of quality codes."""

    def __init__(self, scheme: str) -> None:
        self._scalar = SCHEMES[scheme]

    def __call__(self, texts: pa.StringArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(good bool [N], read bool [N]). An empty cell is good."""
        distinct, index = _distinct(texts)
        answers = [True if not text else _or_none(self._scalar, text) for text in distinct]
        good = np.array([bool(answer) for answer in answers], bool)
        read = np.array([answer is not None for answer in answers], bool)
        return good[index], read[index]


def words(texts: pa.StringArray) -> tuple[list[str | None], NDArray[np.int32]]:
    """(distinct words, index int32 [N]) of a column of names; None for an empty cell."""
    distinct, index = _distinct(texts)
    return [text or None for text in distinct], index


def _distinct(texts: pa.StringArray) -> tuple[list[str], NDArray[np.int32]]:
    """Distinct texts, trimmed, and each row's index into them (two may be equal after trimming)."""
    encoded = texts.dictionary_encode()
    return [text.strip(_BLANKS) for text in encoded.dictionary.to_pylist()], encoded.indices.to_numpy()


def _or_none(rule: Callable[[str], T], text: str) -> T | None:
    try:
        return rule(text)
    except ValueError:
        return None
