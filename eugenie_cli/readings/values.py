"""Values: text -> float, including the words that historians write in place of a number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

# No thousands separators: `1.012,5` and `1,012.5` are refused instead of guessed.
NUMBER_PATTERN = {
    ".": r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$",
    ",": r"^[+-]?(?:[0-9]+(?:,[0-9]*)?|,[0-9]+)(?:[eE][+-]?[0-9]+)?$",
}
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
isu saw no data, unit down, dcs failed, out of serv, out of service, doubtful,
bad_quality, unavailable, unreliable, not available, nan, +nan, -nan, inf, +inf, -inf, infinity,
+infinity, -infinity, null, none, nil, na, n/a, n.a., -, --, ---, ?, *, ***, #n/a, #na, #null!, #value!,
#ref!, #div/0!, #num!, #name?, 1.#qnan, -1.#ind, 1.#inf, -1.#inf
"""
# Lower case, trimmed: the states of process historians, then the texts of spreadsheets and data loggers.
STATUS_TEXTS = frozenset(_STATUS_TEXTS.strip().replace("\n", " ").split(", "))
TRUE_TEXTS = frozenset({"true", "on"})
FALSE_TEXTS = frozenset({"false", "off"})

# What is probably the unit behind a number: bar, °C, %, m³/h, kW.
_NUMBER_AND_UNIT = re.compile(
    r"^[+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?[ \t]*(?P<unit>[^\W\d_]{1,12}[^\s,;:]{0,4}|[%°‰][^\s,;:]{0,4})$"
)

ToValue = Callable[[str], float]
"""Trimmed text -> value; NaN means bad quality. Raises ValueError for text that is not a value."""


def compile_value(decimal: str = ".", status: Iterable[str] = (), unit: str | None = None) -> ToValue:
    """The reader of one value field. `decimal`: "." or ","; `status`: additional texts that mean bad quality.

    A status that is a number, such as -9999, matches that number in any notation. `unit`: what may follow a number.
    """
    unit = unit.strip(" \t") if unit else None
    number = re.compile(NUMBER_PATTERN[decimal])
    status = [text.strip(" \t") for text in status]
    bad = STATUS_TEXTS | {""} | {text.lower() for text in status}
    bad_numbers = frozenset(sentinels(decimal, status))

    def to_value(text: str) -> float:
        is_number = number.match(text) is not None
        if not is_number and unit and text.endswith(unit) and number.match(bare := text[: -len(unit)].rstrip(" \t")):
            text, is_number = bare, True
        if is_number:
            value = float(text.replace(",", "."))
            return value if abs(value) <= MAX_VALUE and value not in bad_numbers else math.nan
        word = text.lower()
        if word in bad:
            return math.nan
        if word in TRUE_TEXTS:
            return 1.0
        if word in FALSE_TEXTS:
            return 0.0
        raise ValueError(
            f"{text!r} is neither a number (decimal {decimal!r}) nor a known status text{_unit_hint(text, unit)}"
        )

    return to_value


def _unit_hint(text: str, unit: str | None) -> str:
    """What to set for a number with a unit; empty for other text."""
    match = _NUMBER_AND_UNIT.match(text[:100])
    if match is None:
        return ""
    if unit:
        return f": the mapping's value has the unit {unit!r}"
    return f": with `unit: {match['unit']}` in the mapping's value, that unit is removed"


def sentinels(decimal: str = ".", status: Iterable[str] = ()) -> tuple[float, ...]:
    """The numbers among the status texts: some loggers write -9999 if there is no measurement.

    In the site file a number may have a decimal point, regardless of the decimal sign of the records.
    """
    patterns = [re.compile(NUMBER_PATTERN[sign]) for sign in {".", decimal}]
    texts = [text.strip(" \t") for text in status]
    return tuple(float(text.replace(",", ".")) for text in texts if any(pattern.match(text) for pattern in patterns))
