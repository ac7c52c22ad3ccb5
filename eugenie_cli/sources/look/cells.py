"""What a single cell looks like: an instant, a time of day, a number, or a word."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DATE = (
    r"(?:\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ](?:\d{4}|\d{2})"
    r"|\d{1,2}[-/. ]?[^\W\d_]{3,10}\.?[-/. ,]{0,2}(?:\d{4}|\d{2})|\d{4}[-/. ][^\W\d_]{3,10}[-/. ]\d{1,2}"
    r"|[^\W\d_]{3,10}\.? \d{1,2},? \d{4}|\d{8})"
)
_TIME = r"(?:\d{1,2}[:.h]\d{2}(?:[:.]\d{2}(?:[.,:]\d{1,9})?)?|\d{6}(?:[.,]\d{1,9})?)(?:\s?[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?:\s?(?:Z|[+-]\d{2}(?::?\d{2})?|[A-Z]{2,5}|\([A-Z]{2,5}\)))?"
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,? )?"
INSTANT = re.compile(rf"^{_WEEKDAY}(?:{_DATE}(?:(?:[Tt ,_:/-]| - |, ){{1}}\s?{_TIME}{_ZONE})?|{_TIME} {_DATE})$")
JAVA = re.compile(r"^[A-Za-z]{3} [^\W\d_]{3} +\d{1,2} \d{2}:\d{2}:\d{2} (?:[A-Za-z+:0-9-]{1,9} )?\d{4}$")
JAVASCRIPT = re.compile(r"^[A-Za-z]{3} [A-Za-z]{3} \d{2} \d{4} \d{2}:\d{2}:\d{2} GMT[+-]\d{4}")
DATE_ONLY = re.compile(rf"^{_WEEKDAY}{_DATE}$")
TIME_ONLY = re.compile(
    r"^\d{1,2}:\d{2}(?::\d{2}(?:[.,:]\d{1,9})?)?(?:\s?[AaPp]\.?[Mm]\.?)?(?:\s?(?:Z|[+-]\d{2}:?\d{2}))?$"
)
NUMBER = re.compile(r"^[+-]?(?:\d[\d.,'\u2019\u00a0\u202f ]*|[.,]\d+)(?:[eE][+-]?\d+)?$")
_LONG = re.compile(r"^\d{5,}(?:[.,]\d*)?$")
"""A number that may count time."""
_MIXED = re.compile(r"[;\t|]|\d,\d")


def is_instant(cell: str) -> bool:
    """Whether a cell looks like an instant or a date in some format."""
    return any(pattern.match(cell) for pattern in (INSTANT, JAVA, JAVASCRIPT)) and not cell.isdigit()


def kind_of_cell(cell: str) -> str:
    """`empty`, `instant`, `time`, `number`, `word`, or `mixed`: fields of another delimiter."""
    if not cell:
        return "empty"
    if is_instant(cell):
        return "instant"
    if TIME_ONLY.match(cell):
        return "time"
    if NUMBER.match(cell):
        return "number"
    return "mixed" if _MIXED.search(cell) else "word"


def is_data(fields: Sequence[str]) -> bool:
    """Whether the fields of a line are readings rather than names: an instant, or mostly numbers."""
    kinds = [kind_of_cell(field.strip()) for field in fields]
    filled = [kind for kind in kinds if kind != "empty"]
    if len(fields) < 2 or not filled:
        return False
    numbers = sum(kind in ("number", "time") for kind in filled)
    long = any(_LONG.match(field.strip()) for field in fields)
    mostly = 2 * numbers > len(filled) or (long and 2 * numbers == len(filled))
    return "instant" in filled or (numbers > 1 and mostly)
