"""The decimal sign of numbers, and what groups their digits: shown by the data, or left to be checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eugenie_cli.sources.look.findings import Notes

_BOTH = {
    ".,": re.compile(r"^[+-]?\d{1,3}(?:\.\d{3})+,\d*$"),
    ",.": re.compile(r"^[+-]?\d{1,3}(?:,\d{2,3})+\.\d*$"),
}
_POINT = re.compile(r"^[+-]?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_COMMA = re.compile(r"^[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?$")
_GROUPS = {
    ".": re.compile(r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$"),
    ",": re.compile(r"^[+-]?[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}$"),
}
_SEVERAL = {".": re.compile(r"\..*\."), ",": re.compile(r",.*,")}
_SPACED = re.compile(r"^[+-]?\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d*)?$")
_APOSTROPHE = re.compile(r"^[+-]?\d{1,3}(?:['\u2019]\d{3})+(?:[.,]\d*)?$")
_WHOLE = re.compile(r"^[+-]?\d+$")


@dataclass(frozen=True)
class Numbers:
    """The signs of numbers; `thousands` None: digits are not grouped."""

    decimal: str = "."
    thousands: str | None = None

    def settings(self) -> dict[str, Any]:
        """As in the section `value` of the site file."""
        decimal = {} if self.decimal == "." else {"decimal": self.decimal}
        return decimal if self.thousands is None else {**decimal, "thousands": self.thousands}


def numbers_of(texts: Iterable[str], delimiter: str, notes: Notes) -> Numbers:
    """The signs of the numbers among the texts. `delimiter`: of the file, which hints at a decimal comma."""
    given = list(dict.fromkeys(texts))
    for signs, pattern in _BOTH.items():
        if example := next(filter(pattern.match, given), None):
            notes.find("numbers", f"thousands {signs[0]} and decimal {signs[1]}", f"such as {example}")
            return Numbers(signs[1], signs[0])
    for thousands, pattern in ((" ", _SPACED), ("'", _APOSTROPHE)):
        if example := next(filter(pattern.match, given), None):
            decimal = "," if any(map(_COMMA.match, given)) or "," in example else "."
            notes.find("numbers", f"thousands {thousands!r} and decimal {decimal}", f"such as {example}")
            return Numbers(decimal, thousands)
    points, commas = list(filter(_POINT.match, given)), list(filter(_COMMA.match, given))
    whole = [text for text in given if _WHOLE.match(text)]
    for sign, other in ((",", "."), (".", ",")):
        if example := next((text for text in given if _GROUPS[sign].match(text) and _SEVERAL[sign].search(text)), None):
            notes.find("numbers", f"thousands {sign} and decimal {other}", f"such as {example}")
            return Numbers(other, sign)
    if not commas:
        return _of_one_sign(".", points, whole, delimiter, notes)
    if not points:
        return _of_one_sign(",", commas, whole, delimiter, notes)
    return _of_both_signs(points, commas, notes)


def _of_both_signs(points: list[str], commas: list[str], notes: Notes) -> Numbers:
    """Some numbers have a point, others a comma: one of them groups thousands."""
    grouped = {".": all(map(_GROUPS["."].match, points)), ",": all(map(_GROUPS[","].match, commas))}
    shown = f"such as {points[0]} and {commas[0]}"
    if grouped[","] != grouped["."]:
        decimal, thousands = (".", ",") if grouped[","] else (",", ".")
        notes.find("numbers", f"thousands {thousands} and decimal {decimal}", shown)
        return Numbers(decimal, thousands)
    decimal = "." if len(points) >= len(commas) else ","
    notes.check("value", f"numbers have both signs ({shown}); decimal {decimal!r} was taken, the others are rejected")
    return Numbers(decimal)


def _of_one_sign(sign: str, texts: list[str], whole: list[str], delimiter: str, notes: Notes) -> Numbers:
    """All numbers with a sign have the same one: the decimal one, unless three digits always follow it."""
    plain = Numbers(sign)
    if not texts:
        return Numbers()
    if not all(map(_GROUPS[sign].match, texts)):
        if sign == ",":
            notes.find("numbers", "decimal comma", f"such as {next(t for t in texts if not _GROUPS[','].match(t))}")
        return plain
    large = next((text for text in whole if len(text.lstrip("+-")) > 3), None)
    if large is not None:  # 1012 beside 1.034: digits are not grouped
        notes.find("numbers", f"decimal {sign}", f"{large} is not grouped")
        return plain
    other = "." if sign == "," else ","
    grouped = Numbers(other, sign)
    as_groups = sign == "," and delimiter == ","
    chosen, else_ = (grouped, plain) if as_groups else (plain, grouped)
    read = "one thousand and more" if as_groups else "one to a thousand, with decimals"
    notes.check("value", f"{texts[0]!r} is read as {read}: three digits always follow the {sign!r}", _written(else_))
    return chosen


def _written(numbers: Numbers) -> str:
    given = ", ".join(f'{key}: "{sign}"' for key, sign in numbers.settings().items())
    return f"the other way: value {{{given}}}" if given else "the other way: neither decimal nor thousands in `value`"
