"""A column of values: the same results as `values.compile_value`, as an array. Used by imports and the stream.

Normally a single conversion reads the whole column; other texts go through the scalar rule, each distinct one once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import as_texts
from eugenie_cli.readings.columns.distinct import distinct
from eugenie_cli.readings.number_texts import NUMBER_PATTERN, THOUSANDS, grouped_pattern
from eugenie_cli.readings.values import MAX_VALUE, ValueRule, compile_rule

Read = tuple["NDArray[np.float64]", "NDArray[np.bool_]"]
"""Values [N], NaN for bad quality, and a mask [N] of those that could be read."""

_NUMBERS = {float, int}
_BLANKS = " \t"


class Values:
    """Reads values by the rules of the mapping's value part; None: the default rules."""

    def __init__(self, part: Mapping[str, Any] | None) -> None:
        self._rule = rule = ValueRule.of(part)
        self._to_value = compile_rule(rule)
        self.decimal = rule.decimal
        """The decimal sign."""
        self.reads_numbers = rule.thousands is None and "" not in rule.states
        """Whether a column of texts may be parsed as numbers, null where it is empty, before it is read."""
        self._grouped = grouped_pattern(rule.decimal, rule.thousands) if rule.thousands else None
        self._separators = f"[{re.escape(THOUSANDS.get(rule.thousands, rule.thousands))}]" if rule.thousands else ""
        self.had_objects = False
        """Whether there were objects among the members read last."""

    def of_members(self, members: Sequence[Any], good: NDArray[np.bool_] | None) -> Read:
        """Members [N] of messages and their qualities (None: all good) -> values; NaN also if the quality is bad.

        Numbers that are too large are not read here: the reference decides by their text in the message.
        """
        kinds = set(map(type, members))
        self.had_objects = dict in kinds
        if kinds <= _NUMBERS or len(kinds) == 1:
            value, readable = self._of_kind(next(iter(kinds), float), members)
        else:
            value, readable = np.full(len(members), np.nan), np.zeros(len(members), bool)
            for kind in kinds:
                rows = [row for row, member in enumerate(members) if type(member) is kind]
                value[rows], readable[rows] = self._of_kind(kind, [members[row] for row in rows])
        if good is not None:
            value[~good] = np.nan
            readable |= ~good  # a bad reading needs no readable value
        return value, readable

    def of_column(self, column: pa.Array) -> Read:
        """A normalized Arrow column (`arrow_columns`); a null is a reading of bad quality."""
        kind = column.type
        if pa.types.is_null(kind):
            return np.full(len(column), np.nan), np.ones(len(column), bool)
        if pa.types.is_boolean(kind):
            true, false = self._to_value("true"), self._to_value("false")
            value = np.where(column.fill_null(False).to_numpy(zero_copy_only=False), true, false)
            return np.where(column.is_null().to_numpy(zero_copy_only=False), np.nan, value), np.ones(len(column), bool)
        if pa.types.is_decimal(kind):
            column = column.cast(pa.string()).cast(pa.float64())  # rounded once; Arrow's own conversion rounds twice
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            return self.of_texts(as_texts(column))
        value = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            value = np.where(np.abs(value) <= MAX_VALUE, value, np.nan)
        return self.of_numbers(value), np.ones(len(column), bool)

    def of_texts(self, texts: pa.StringArray) -> Read:
        """An Arrow column of texts; a null is like an empty text, a reading of bad quality."""
        if texts.null_count:
            texts = texts.fill_null("")
        value, plain = self._numbers(texts)
        read = plain & (np.abs(value) <= MAX_VALUE)  # false for NaN: values that are not finite go through the rule
        value[~read] = np.nan
        value = self.of_numbers(value)
        rest = np.flatnonzero(~read)
        if len(rest):
            distinct_texts, index = distinct(texts.take(pa.array(rest)))
            values = [self._or_none(text) for text in distinct_texts]
            value[rest] = np.array([np.nan if number is None else number for number in values], np.float64)[index]
            read[rest] = np.array([number is not None for number in values], bool)[index]
        return value, read

    def of_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values that numbers [N] stand for, as `ValueRule.of_number`; NaN stays NaN."""
        rule, value = self._rule, numbers
        if rule.is_scaled:
            with np.errstate(over="ignore", invalid="ignore"):
                value = numbers * rule.scale + rule.offset
                value = np.where(np.abs(value) <= MAX_VALUE, value, np.nan)
        for sentinel in rule.bad_numbers:
            value = np.where(numbers == sentinel, np.nan, value)
        for low, high in rule.bad_ranges:
            value = np.where((numbers >= low) & (numbers <= high), np.nan, value)
        for state, to in reversed(rule.state_numbers):
            value = np.where(numbers == state, to, value)
        return value

    def _of_kind(self, kind: type, members: Sequence[Any]) -> Read:
        """Members of a single type; int and float count as one."""
        if kind in _NUMBERS:
            try:
                value = np.array(members, np.float64)
            except OverflowError:  # an integer of more than 308 digits, which the rule reads
                value = np.array([number if abs(number) <= MAX_VALUE else np.inf for number in members], np.float64)
            return self.of_numbers(value), ~(np.abs(value) > MAX_VALUE)
        if kind is str:
            return self.of_texts(pa.array(members, pa.string()))
        if kind is bool:
            return np.where(members, self._to_value("true"), self._to_value("false")), np.ones(len(members), bool)
        # null is a reading of bad quality; an object or array is not a reading
        return np.full(len(members), np.nan), np.full(len(members), kind is type(None))

    def _numbers(self, texts: pa.StringArray) -> Read:
        """The texts that are numbers, before `of_numbers`; the others are left to the rule."""
        given = texts
        if self.decimal == "." and self._grouped is None:
            try:
                return pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False).copy(), np.ones(len(texts), bool)
            except pa.ArrowInvalid:
                pass  # some texts are not numbers: find out which
        plain = pc.match_substring_regex(texts, NUMBER_PATTERN[self.decimal])
        # "+1" is a number for the rule but not for the cast: left to the rule
        plain = pc.and_(plain, pc.invert(pc.starts_with(texts, "+")))
        if self._grouped is not None:
            grouped = pc.and_(pc.match_substring_regex(texts, self._grouped), pc.invert(pc.starts_with(texts, "+")))
            texts = pc.if_else(grouped, pc.replace_substring_regex(texts, self._separators, ""), texts)
            plain = pc.or_(plain, grouped)
        if self._grouped is not None and self._rule.states:  # a state may be called 1,500: states come first
            plain = pc.and_(plain, pc.invert(pc.is_in(pc.utf8_lower(given), pa.array(self._rule.states, pa.string()))))
        numbers = pc.if_else(plain, texts, None)
        if self.decimal == ",":
            numbers = pc.replace_substring(numbers, ",", ".")
        value = pc.cast(numbers, pa.float64()).to_numpy(zero_copy_only=False).copy()
        return value, plain.to_numpy(zero_copy_only=False)

    def _or_none(self, text: str | None) -> float | None:
        try:
            return None if text is None else self._to_value(text.strip(_BLANKS))
        except ValueError:
            return None
