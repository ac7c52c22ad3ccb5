"""Values: text -> float, including the words that historians write in place of a number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eugenie_cli.readings.number_texts import MINUS, NUMBER_PATTERN, SPACES, grouped_pattern, value_advice

# Rows are float32: a larger magnitude (including infinity) is not a measurement.
MAX_VALUE = 3.4028234663852886e38

_STATUS_TEXTS = """
bad, bad input, bad data, bad quality, bad total, bad value, no data, nodata, no result, no value,
no sample, no good data for calculation, i/o timeout, io timeout, timeout, scan timeout, scan off,
pt created, point created, inp outrange, inp outofrange, out of range, over range, overrange,
under range, underrange, over limit, under limit, comm fail, comm error, communication error,
communication failure, not connect, not connected, no connection, disconnected, equip fail,
equipment failure, calc failed, calc off, calc timeout, calc overflow, calculation failed, configure,
not configured, unconfigured, shutdown, shut down, intf shut, intf shutdown, interface shutdown, error,
err, fault, fail, failed, failure, invalid, invalid data, invalid float, filter expired, arc offline,
arc off-line, archive offline, offline, access denied, no access, trace-back, undefined, unknown,
under repair, stale, snapshot fail, wrong type, data loss, future data unsupported, coercion failed, set to bad,
isu saw no data, unit down, dcs failed, out of serv, out of service, doubtful, manual, auto, active batch,
bad lab data, no lab data, bad output, no output, bad qual, bad calc, no_sample, not converge, filter failure,
timestamp error, unable to connect, initialized, not initialized, uninitialized, start-up, test, under test,
trouble, not good, no valid data, no status, archive error, io error, i/o error, device failure, sensor failure,
configuration error, not supported, not collected, never written, waiting for initial data,
bad_quality, unavailable, unreliable, not available, nan, +nan, -nan, inf, +inf, -inf, infinity,
+infinity, -infinity, null, (null), <null>, [null], \\n, none, nil, na, n/a, n.a., -, --, ---, ?, *, ***, #n/a, #na,
#null!, #value!, #ref!, #div/0!, #num!, #name?, 1.#qnan, -1.#ind, 1.#inf, -1.#inf, burnout, +over, -over, ovld
"""
# Lower case, trimmed: the states of process historians, then the texts of spreadsheets and data loggers.
STATUS_TEXTS = frozenset(_STATUS_TEXTS.strip().replace("\n", " ").split(", "))
TRUE_TEXTS = frozenset({"true", "on"})
FALSE_TEXTS = frozenset({"false", "off"})

# No digits at all: ---, ----, --.--, ????, #####, ***, and what C writes for what is no number: -1.#IND00.
_NO_NUMBER = re.compile(r"^(?:[-.?*]+|[#_+]{2,}|[+-]?1[.,]#[a-z]+0*)$")
# PI's errors as text: `[-11059] No Good Data For Calculation`, `Error 11059`; numbers stand for unnamed states: `?271`.
_ERROR_NUMBER = re.compile(r"^(?:\[-?[0-9]{1,9}\].*|error:? -?[0-9]{1,9}|\?[0-9]{1,9})$", re.IGNORECASE)

ToValue = Callable[[str], float]
"""Trimmed text -> value; NaN means bad quality. Raises ValueError for text that is not a value."""

RANGE_PATTERN = r"^([+-]?[0-9]*\.?[0-9]+)?[ \t]*\.\.[ \t]*([+-]?[0-9]*\.?[0-9]+)?$"
_RANGE = re.compile(RANGE_PATTERN)

Range = tuple[float, float]
"""The least and the greatest number, both included."""


@dataclass(frozen=True)
class ValueRule:
    """How one value field is read.

    `decimal`: "." or ","; `thousands`: what groups digits, if anything; `unit`: what may follow a number; `strip`:
    texts that are removed from both ends, longest first; `states`: words (lower case) and `state_numbers` that stand
    for a value, NaN for bad quality; `bad`: words, `bad_numbers` and `bad_ranges` that mean bad quality; `scale`,
    `offset`: applied to numbers, not to states.
    """

    decimal: str = "."
    thousands: str | None = None
    unit: str | None = None
    strip: tuple[str, ...] = ()
    states: Mapping[str, float] = field(default_factory=dict)
    state_numbers: tuple[tuple[float, float], ...] = ()
    bad: frozenset[str] = frozenset()
    bad_numbers: tuple[float, ...] = ()
    bad_ranges: tuple[Range, ...] = ()
    scale: float = 1.0
    offset: float = 0.0

    @staticmethod
    def of(part: Mapping[str, Any] | None) -> ValueRule:
        """The rule of a mapping's value part; None: the default rule."""
        part = part or {}
        decimal, unit = part.get("decimal") or ".", part.get("unit")
        listed = [text.strip(" \t") for text in (*(part.get("status") or ()), *(part.get("bad") or ()))]
        ranges = [bounds for text in listed if (bounds := range_of(text)) is not None]
        states = {
            name.strip(" \t"): math.nan if to is None else float(to) for name, to in (part.get("map") or {}).items()
        }
        return ValueRule(
            decimal,
            part.get("thousands"),
            unit.strip(" \t") if unit else None,
            tuple(sorted((text.strip(" \t") for text in part.get("strip") or ()), key=len, reverse=True)),
            {name.lower(): to for name, to in states.items()},
            tuple((number, to) for name, to in states.items() for number in sentinels(decimal, [name])),
            frozenset(text.lower() for text in listed),
            sentinels(decimal, listed),
            tuple(ranges),
            1.0 if part.get("scale") is None else part["scale"],
            part.get("offset") or 0.0,
        )

    def of_number(self, number: float) -> float:
        """The value that a number stands for."""
        if not abs(number) <= MAX_VALUE:
            return math.nan
        for state, to in self.state_numbers:
            if number == state:
                return to
        if number in self.bad_numbers or any(low <= number <= high for low, high in self.bad_ranges):
            return math.nan
        value = number * self.scale + self.offset if self.is_scaled else number
        return value if abs(value) <= MAX_VALUE else math.nan

    @property
    def is_scaled(self) -> bool:
        """Whether numbers are changed."""
        return self.scale != 1.0 or self.offset != 0.0


def range_of(text: str) -> Range | None:
    """`-5..5`, `..-100`, `1000..` -> its bounds; None for any other text."""
    match = _RANGE.match(text)
    if match is None or (match[1] is None and match[2] is None):
        return None
    return (-math.inf if match[1] is None else float(match[1]), math.inf if match[2] is None else float(match[2]))


def compile_value(decimal: str = ".", status: Iterable[str] = (), unit: str | None = None) -> ToValue:
    """The reader of one value field. `decimal`: "." or ","; `status`: additional texts that mean bad quality.

    A status that is a number, such as -9999, matches that number in any notation. `unit`: what may follow a number.
    """
    return compile_rule(ValueRule.of({"decimal": decimal, "status": tuple(status), "unit": unit}))


def compile_rule(rule: ValueRule) -> ToValue:
    """The reader of texts by a rule."""
    number = re.compile(NUMBER_PATTERN[rule.decimal])
    grouped = re.compile(grouped_pattern(rule.decimal, rule.thousands)) if rule.thousands else None
    bad = STATUS_TEXTS | {""} | rule.bad

    def plain(text: str) -> str | None:
        """The text of a number, with a decimal point; None for other text."""
        text = text.replace(MINUS, "-", 1) if text[:1] == MINUS else text
        if number.match(text) is not None:
            return text.replace(",", ".")
        if grouped is not None and grouped.match(text) is not None:
            digits = "".join(character for character in text if character.isdigit() or character in "+-" + rule.decimal)
            return digits.replace(",", ".")
        return None

    def to_value(text: str) -> float:
        if (word := text.lower()) in rule.states:
            return rule.states[word]
        bare = plain(text)
        if bare is None and rule.strip:
            text = _stripped(text, rule.strip)
            bare = plain(text)
        if bare is None and rule.unit and text.endswith(rule.unit):
            bare = plain(text[: -len(rule.unit)].rstrip(SPACES))
        if bare is not None:
            return rule.of_number(float(bare))
        word = text.lower()
        if word in rule.states:
            return rule.states[word]
        if word in bad or _NO_NUMBER.match(word) or _ERROR_NUMBER.match(word):
            return math.nan
        if word in TRUE_TEXTS:
            return 1.0
        if word in FALSE_TEXTS:
            return 0.0
        raise ValueError(
            f"{text!r} is neither a number (decimal {rule.decimal!r}) nor a known status text"
            + value_advice(text, rule.decimal, rule.thousands, rule.unit)
        )

    return to_value


def _stripped(text: str, strip: Iterable[str]) -> str:
    """The text without the given ones, and blanks, at both ends."""
    while True:
        before = text
        for end in strip:
            text = text.removeprefix(end).removesuffix(end).strip(SPACES)
        if text == before:
            return text


def sentinels(decimal: str = ".", status: Iterable[str] = ()) -> tuple[float, ...]:
    """The numbers among the status texts: some loggers write -9999 if there is no measurement.

    In the site file a number may have a decimal point, regardless of the decimal sign of the records.
    """
    patterns = [re.compile(NUMBER_PATTERN[sign]) for sign in {".", decimal}]
    texts = [text.strip(" \t") for text in status]
    return tuple(float(text.replace(",", ".")) for text in texts if any(pattern.match(text) for pattern in patterns))
