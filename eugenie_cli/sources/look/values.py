"""The part `value` of a mapping: decimal signs, states, what means bad quality, units behind numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eugenie_cli.printable import printable
from eugenie_cli.readings.values import FALSE_TEXTS, STATUS_TEXTS, TRUE_TEXTS, ValueRule, compile_rule
from eugenie_cli.sources.look.cells import NUMBER
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.numbers import numbers_of
from eugenie_cli.sources.look.table import Column

_PAIRS = (
    "open closed", "open close", "opened closed", "on off", "running stopped", "run stop", "started stopped",
    "start stop", "active inactive", "enabled disabled", "yes no", "high low", "alarm normal", "up down", "auf zu",
    "offen geschlossen", "ein aus", "an aus", "läuft steht", "ja nein", "açık kapalı", "çalışıyor durdu", "var yok",
    "ouvert fermé", "marche arrêt", "oui non", "abierto cerrado", "encendido apagado", "si no", "aperto chiuso",
    "acceso spento", "t f", "y n", "1 0",
)  # fmt: skip
STATES = {word: value for pair in _PAIRS for word, value in zip(pair.split(), (1, 0), strict=True)}
"""A word of two-valued states -> its value."""
_NINES = "999 9999 99999 999999 9999999 999.9 9999.9 99999.9 999.99 9999.99 999.25 8888 7777"
_LIMITS = "32767 32768 65535 3276.7 3276.8 6553.5 2147483647 2147483648 1e20 1e30 1e31"
SENTINELS = frozenset(map(float, f"{_NINES} {_LIMITS}".split()))
"""Magnitudes that loggers write if nothing was measured."""
FAR = 3.0
"""A sentinel is so many times larger than any other value, or has a sign that no other has."""
_STATE = re.compile(r"^[^\W\d_][\w .,/+()&-]{0,39}$")
MOST_STATES = 12
"""More words are names or notes."""
_WITH_UNIT = re.compile(
    r"^[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?[ \t\u00a0]*"
    r"(?P<unit>[^\W\d_]{1,6}[^\s,;:\d]{0,6}|[%°‰][^\s,;:\d]{0,4})$"
)
_MARKED = re.compile(r"^(?P<before>[<>~*?!=#]{0,2})\s*[+-]?\d[\d.,]*\s*(?P<after>[*?!#<>HLRSUBE]{0,2})$")


def is_value(column: Column) -> bool:
    """Whether a column's cells are values: numbers, states and status texts, but no names or notes."""
    if column.typed in ("number", "bool", "object"):
        return True
    if not column.counts:
        return False
    known = sum(count for text, count in column.counts.items() if _is_known(text))
    if known == column.filled:
        return True
    numbers = sum(count for text, count in column.counts.items() if _is_number(text))
    return 2 * numbers >= column.filled or (known > 0.9 * column.filled and numbers > 0)


def is_number(column: Column) -> bool:
    """Whether most filled cells are numbers."""
    numbers = sum(count for text, count in column.counts.items() if NUMBER.match(text))
    return column.typed == "number" or 2 * numbers > column.filled > 0


def _is_number(text: str) -> bool:
    return bool(NUMBER.match(text) or _WITH_UNIT.match(text) or _MARKED.match(text))


def _is_known(text: str) -> bool:
    word = text.lower()
    return (
        bool(NUMBER.match(text)) or word in STATUS_TEXTS or word in TRUE_TEXTS or word in FALSE_TEXTS or word in STATES
    )


def value_settings(columns: Sequence[Column], delimiter: str, notes: Notes) -> dict[str, Any]:
    """The settings of `value`, without its path, for the columns that have values."""
    texts: Counter[str] = Counter()
    for column in columns:
        if column.typed in ("text", "object"):
            texts.update(column.counts)
    signs = numbers_of((text for text in texts if NUMBER.match(text)), delimiter, notes).settings()
    settings: dict[str, Any] = dict(signs)
    settings |= _units_and_marks(texts, _units(columns), signs, notes)
    read = compile_rule(ValueRule.of(settings))
    unread = Counter({text: count for text, count in texts.items() if not _reads(read, text)})
    states, bad = _words(unread, columns, notes)
    bad += _sentinels(columns, settings, notes)
    if states:
        settings["map"] = states
    if bad:
        settings["bad"] = bad
    return settings


def _reads(read: Any, text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _units(columns: Sequence[Column]) -> list[set[str]]:
    """The units behind the numbers of each column that has any."""
    found = [{match["unit"] for text in c.counts if (match := _WITH_UNIT.match(text))} for c in columns]
    return [units for units in found if units]


def _units_and_marks(
    texts: Mapping[str, int], of_columns: Sequence[set[str]], signs: Mapping[str, Any], notes: Notes
) -> dict[str, Any]:
    """`unit` and `strip` for numbers with something around them."""
    read = compile_rule(ValueRule.of(signs))
    odd = [text for text in texts if not _reads(read, text)]
    units = Counter(match["unit"] for text in odd if (match := _WITH_UNIT.match(text)))
    found: dict[str, Any] = {}
    several = {unit for of_one in of_columns for unit in of_one}
    if len(several) > 1 and all(len(of_one) == 1 for of_one in of_columns):
        found["strip"] = sorted(several)
        notes.check("value", f"numbers are followed by their units ({', '.join(sorted(several))}), which are removed")
        odd = [text for text in odd if _WITH_UNIT.match(text) is None]
    elif units:
        unit, _ = units.most_common(1)[0]
        example = next(text for text in odd if text.endswith(unit))
        found["unit"] = unit
        notes.find("unit behind numbers", unit, f"such as {example}")
        if len(units) > 1:
            others = ", ".join(other for other in units if other != unit)
            notes.check("value", f"numbers are followed by {unit}, but also by {others}: those are rejected")
        odd = [text for text in odd if _WITH_UNIT.match(text) is None]
    marks = {
        part: text
        for text in odd
        if (match := _MARKED.match(text))
        for part in (match["before"], match["after"])
        if part
    }
    if marks:
        found["strip"] = sorted({*marks, *found.get("strip", ())})
        listed = ", ".join(printable(text, 40) for text in marks.values())
        notes.check(
            "value",
            f"marks around numbers are removed ({listed})",
            "if they mean bad quality, list such texts under `bad` instead",
        )
    return found


def _words(unread: Mapping[str, int], columns: Sequence[Column], notes: Notes) -> tuple[dict[str, float], list[str]]:
    """(`map`, `bad`): words of columns that mostly have words are states, words among numbers mean bad quality."""
    states: dict[str, float] = {}
    bad: list[str] = []
    for column in columns:
        words = {text: count for text, count in column.counts.items() if text in unread}
        if not words:
            continue
        numbers = sum(count for text, count in column.counts.items() if NUMBER.match(text))
        known = {text: float(STATES[text.lower()]) for text in words if text.lower() in STATES}
        if known and (len(known) == len(words) or numbers * 2 < column.filled):
            states |= known
        rest = [text for text in words if text not in known]
        plain = all(map(_STATE.match, rest)) and sum(words[text] for text in rest) >= 2 * len(rest)
        if 2 * numbers < column.filled and len(rest) <= MOST_STATES and not known and plain:
            states |= {text: float(number) for number, text in enumerate(sorted(rest))}
        elif len(rest) <= MOST_STATES:
            bad += [text for text in rest if words[text] > 1 and text not in bad]
    if states:
        listed = ", ".join(f"{printable(word, 30)} is {value:g}" for word, value in states.items())
        notes.check("value", f"states have no numbers in the data: {listed}", "correct `map`; ~ for bad quality")
    if bad:
        listed = ", ".join(printable(word, 30) for word in bad)
        notes.check("value", f"words among numbers are read as bad quality: {listed}", "a state belongs into `map`")
    return {word: int(value) if value == int(value) else value for word, value in states.items()}, bad


def _sentinels(columns: Sequence[Column], settings: Mapping[str, Any], notes: Notes) -> list[Any]:
    """Numbers that probably mean that nothing was measured: far from every other value of their column."""
    read = compile_rule(ValueRule.of(settings))
    found: dict[float, str] = {}
    for column in columns:
        numbers: Counter[float] = Counter()
        for text, count in column.counts.items():
            if NUMBER.match(text) and _reads(read, text) and (value := read(text)) == value:
                numbers[value] += count
        for value in (min(numbers, default=0.0), max(numbers, default=0.0)):
            if abs(value) not in SENTINELS:
                continue
            others = [other for other in numbers if other != value and abs(other) not in SENTINELS]
            largest = max(map(abs, others), default=0.0)
            apart = value < 0 <= min(others, default=0.0) and abs(value) > largest
            if not others and numbers[value] < column.filled:
                apart = True
            if apart or (others and abs(value) > FAR * largest):
                found.setdefault(value, column.name)
    for value, name in found.items():
        notes.check(
            "value",
            f"{value:g} in {printable(name, 40)} is far from all other values and was taken for bad quality",
            "if it is a measurement, remove it from `bad`",
        )
    return [int(value) if value == int(value) and abs(value) < 2**53 else value for value in found]
