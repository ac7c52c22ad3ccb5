"""How numbers are written: decimal signs, groups of digits, units; and what to set for a number that is not read."""

from __future__ import annotations

import re
from functools import cache

# No thousands separators, unless stated: `1.012,5` and `1,012.5` are refused instead of guessed.
NUMBER_PATTERN = {
    ".": r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$",
    ",": r"^[+-]?(?:[0-9]+(?:,[0-9]*)?|,[0-9]+)(?:[eE][+-]?[0-9]+)?$",
}
THOUSANDS = {" ": " \u00a0\u202f\u2009", "'": "'\u2019"}
"""A separator of thousands -> the characters that it stands for: blanks and apostrophes have several."""
MINUS = "\u2212"
"""The minus sign of typographers, which LibreOffice and R write in some languages, such as Swedish."""
SPACES = " \t\u00a0\u202f\u2009"
"""What may be between a number and its unit: spreadsheets write blanks at which no line breaks."""

# What is probably the unit behind a number: bar, °C, %, m³/h, kW.
_NUMBER_AND_UNIT = re.compile(
    r"^(?P<number>[+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?)[ \t\u00a0\u202f\u2009]*"
    r"(?P<unit>(?![xX][0-9A-Fa-f]|[dDeE][+-]?[0-9])[^\W\d_]{1,12}[^\s,;:]{0,4}|[%°‰][^\s,;:]{0,4})$"
)
# Signs around a number, as laboratories (<0.5, >100, ~3) and historians (*2.4) write them; (5) and -5 are negative.
_SIGN = r"[^\w\s.,+\-\u2010-\u2015\u2212()'\"]{0,3}"
_SIGNS_AND_NUMBER = re.compile(
    rf"^(?P<before>{_SIGN})\s*(?P<number>[+-]?[0-9.,]+(?:[eE][+-]?[0-9]+)?)\s*(?P<after>{_SIGN})$"
)
_PLAIN_WORD = re.compile(r"^[A-Za-z][A-Za-z0-9_ ./()-]*$")
_NOT_TEXT_IN_YAML = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
LONGEST_WORD = 40
_SHOWN = 100  # characters that are looked at


def grouped_pattern(decimal: str, thousands: str) -> str:
    """The pattern of numbers whose digits before the decimal sign are in groups; the last group has three."""
    group = f"[{re.escape(THOUSANDS.get(thousands, thousands))}]"
    return rf"^[+-]?[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}(?:{re.escape(decimal)}[0-9]*)?$"


def value_advice(text: str, decimal: str, thousands: str | None, unit: str | None) -> str:
    """What to set in a mapping's value so that this text is read, as the end of a sentence; empty if unknown.

    The arguments are what the mapping says. A text that two settings read as different numbers gets both: only the
    plant knows whether 2,412 is two or two thousand.
    """
    text = text[:_SHOWN]
    if unit and text.endswith(unit):
        text = text[: -len(unit)].rstrip(SPACES)
    ways = _ways(text, decimal, thousands)
    if ways:
        return f": {_either(ways)}"
    named = _NUMBER_AND_UNIT.match(text)
    if named is not None:
        if unit:
            return f": the mapping's value has the unit {unit!r}"
        return f": with `unit: {named['unit']}` in the mapping's value, that unit is removed"
    signed = _SIGNS_AND_NUMBER.match(text)
    if signed is not None:
        signs = ", ".join(f'"{sign}"' for sign in (signed["before"], signed["after"]) if sign)
        return (
            f": with `strip: [{signs}]` in the mapping's value, it counts as {signed['number']}; with `bad:"
            f" [{in_yaml(text)}]`, as bad quality"
        )
    if len(text) <= LONGEST_WORD and (text[:1].isalpha() or not any(map(str.isdigit, text))):
        word = in_yaml(text)
        return f": as a state, `map: {{{word}: <its number>}}` in the mapping's value; as bad quality, `bad: [{word}]`"
    return ""


def _either(ways: dict[str, str]) -> str:
    parts = [f"with {settings} in the mapping's value, it is {number}" for settings, number in ways.items()]
    return parts[0] if len(parts) == 1 else f"{'; '.join(parts)}: set what the file's other numbers show"


def _ways(text: str, decimal: str, thousands: str | None) -> dict[str, str]:
    """Settings -> the number that the text is with them."""
    found: dict[str, str] = {}
    for sign in (decimal, "," if decimal == "." else "."):
        own = [] if sign == decimal else [f'`decimal: "{sign}"`']
        if own and _pattern(sign).match(text):
            found[own[0]] = _plain(text, sign)
        for group in (".", ",", " ", "'"):
            if group == sign or (group == thousands and not own) or not _pattern(sign, group).match(text):
                continue
            if own and sign not in text and group != decimal:
                continue  # without decimals, the decimal sign of the mapping will do
            found[" and ".join([*own, f'`thousands: "{group}"`'])] = _plain(text, sign)
    return found


@cache
def _pattern(decimal: str, thousands: str | None = None) -> re.Pattern[str]:
    return re.compile(grouped_pattern(decimal, thousands) if thousands else NUMBER_PATTERN[decimal])


def _plain(text: str, decimal: str) -> str:
    """A number with a decimal point and nothing between its digits."""
    return "".join("." if c == decimal else c for c in text if c.isdigit() or c in "+-eE" or c == decimal)


def in_yaml(text: str) -> str:
    """A text as a site file must write it."""
    if _PLAIN_WORD.match(text) and text.lower() not in _NOT_TEXT_IN_YAML:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
