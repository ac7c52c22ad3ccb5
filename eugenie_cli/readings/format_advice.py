"""Which `format` reads the text of an instant, and what else a site file can say of one: for messages, never to guess.

A text that several formats read, such as 03/04/2026, gets all of them: only the plant knows whether the day is first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timezone

from eugenie_cli.readings.timestamp_formats import HALF_OF_DAY, compile_format

_MONTH = r"[^\W\d_]{3,}\.?"
_DATES = (
    (r"(?P<a>\d{4})(?:[-/._ ]|年 ?)(?P<b>\d{1,2})(?:[-/._ ]|月 ?)(?P<c>\d{1,2})日?", ("Ymd",)),
    (r"(?P<a>\d{1,2})\. ?(?P<b>\d{1,2})\. ?(?P<c>\d{4})(?!\d)", ("dmY",)),
    (r"(?P<a>\d{1,2})\. ?(?P<b>\d{1,2})\. ?(?P<c>\d{2})(?!\d)", ("dmy",)),
    (r"(?P<a>\d{1,2})(?P<sign>[-/_ ])(?P<b>\d{1,2})(?P=sign)(?P<c>\d{4})(?!\d)", ("dmY", "mdY")),
    (r"(?P<a>\d{1,2})(?P<sign>[-/_ ])(?P<b>\d{1,2})(?P=sign)(?P<c>\d{2})(?!\d)", ("dmy", "mdy", "ymd")),
    (rf"(?P<a>\d{{1,2}})[-/. ]*(?P<b>{_MONTH})[-/., ]*(?P<c>\d{{4}})(?!\d)", ("dbY",)),
    (rf"(?P<a>\d{{1,2}})[-/. ]*(?P<b>{_MONTH})[-/., ]*(?P<c>\d{{2}})(?!\d)", ("dby",)),
    (rf"(?P<a>{_MONTH}) ?(?P<b>\d{{1,2}}),? ?(?P<c>\d{{4}})(?!\d)", ("bdY",)),
    (rf"(?P<a>\d{{4}})[-/. ](?P<b>{_MONTH})[-/. ](?P<c>\d{{1,2}})(?!\d)", ("Ybd",)),
    (r"(?P<a>\d{4})(?P<b>\d{2})(?P<c>\d{2})(?=$|\D|\d{4}$|\d{6})", ("Ymd",)),
)
"""Patterns of dates, and the directives that their parts may be."""
_YEAR_LAST = re.compile(
    rf"(?P<a>[A-Za-z]{{3}}) (?P<b>{_MONTH}) +(?P<d>\d{{1,2}}) (?P<H>\d{{2}}):(?P<M>\d{{2}}):(?P<S>\d{{2}})"
    r"(?: (?P<Z>[A-Za-z]{1,5})| (?P<z>[+-]\d{4}))? (?P<Y>\d{4})$"
)
"""As Java, C and Unix write a date: Tue Jan 13 05:00:00 CET 2026."""
_SPARE = re.compile(r"(.*:\d{2}) \d{1,3}$")
"""Milliseconds in a column of their own, which a format leaves out."""
_WEEKDAY = re.compile(r"(?P<a>[A-Za-z]{3,9})(?=\.?,? )")
_HALF = rf"(?:{HALF_OF_DAY})"
_TIMES = (
    rf"(?:(?P<p>{_HALF})\s*)?(?P<H>\d{{1,2}})(?:[:.h-]|時 ?|시 ?)(?P<M>\d{{2}})"
    r"(?:(?:[:.-]|分 ?|분 ?)(?P<S>\d{2})(?:[.,:](?P<f>\d{1,9}))?)?(?:分|秒|분|초)?"
    rf"(?:\s*(?P<q>{_HALF}))?(?:\s*(?P<z>[+-]\d{{2}}:?\d{{2}}|Z(?![A-Za-z]))|\s+(?P<Z>[A-Za-z]{{2,6}}))?$",
    r"(?P<H>\d{2})(?P<M>\d{2})(?:(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?(?P<z>Z|[+-]\d{2}:?\d{2})?$",
)
_TIME_ALONE = re.compile(rf"(?:{_HALF}\s*)?\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,:]\d+)?)?(?:\s*{_HALF})?$", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,T_:;-]{0,3}")
"""What may be between a date and its time."""
_WHOLE_DAY = " %H:%M:%S"
"""After the format of a date: a text that ends after the date is midnight."""
LONGEST = 80
"""Characters of a text that is looked at."""


def formats_reading(text: str) -> tuple[str, ...]:
    """The formats that read a text, a date with a time of day; none if there are none."""
    return tuple(dict.fromkeys(format for format, timed in _candidates(text) if timed and _reads(format, text)))


def time_advice(text: str) -> str:
    """What to write in a mapping whose `ts` does not read this text, as the end of a sentence; empty if unknown."""
    text = text[:LONGEST]
    if spare := _SPARE.match(text):
        text = spare[1]
    if formats := formats_reading(text):
        return f": {_listed(formats)} reads it" + ("" if len(formats) == 1 else _days(formats))
    if _TIME_ALONE.match(text):
        return ": it has no date. If the date is in a column of its own, name both: `path: [Date, Time]`"
    dates = dict.fromkeys(
        f"{format}{_WHOLE_DAY}"
        for format, timed in _candidates(text)
        if not timed and _reads(format + _WHOLE_DAY, text)
    )
    if dates:
        return (
            ": it has no time of day. If that is in a column of its own, name both: `path: [Date, Time]` with"
            f" {_listed(tuple(dates))}, which reads a date alone as midnight"
        )
    return ""


def _listed(formats: tuple[str, ...]) -> str:
    return " or ".join(f'`format: "{format}"`' for format in formats)


def _days(formats: tuple[str, ...]) -> str:
    return ", depending on which number is the day" if len(formats) > 1 else ""


def _reads(format: str, text: str) -> bool:
    try:
        compile_format(format, timezone.utc)(text)
    except ValueError as error:
        return "is not an abbreviation" in str(error)  # the mapping's zone may know it
    return True


def _candidates(text: str) -> Iterator[tuple[str, bool]]:
    """(format, whether it has a time of day) of texts that consist of a date, perhaps with a time behind it."""
    if year_last := _YEAR_LAST.match(text):
        letters = {year_last.span(name): name for name, found in year_last.groupdict().items() if found is not None}
        yield _written(text, 0, len(text), letters), True
    weekday = _WEEKDAY.match(text)
    begins = [(0, "")]
    if weekday is not None:
        rest = re.match(r"\.?,? ", text[weekday.end() :])
        if rest is not None:
            begins.append((weekday.end() + rest.end(), "%a" + rest[0]))
    for begin, before in begins:
        for pattern, orders in _DATES:
            date = re.compile(pattern).match(text, begin)
            if date is None:
                continue
            for order in orders:
                letters = {date.span(name): letter for name, letter in zip("abc", order, strict=True)}
                written = before + _written(text, begin, date.end(), letters)
                if date.end() == len(text):
                    yield written, False
                    continue
                yield from ((written + rest, True) for rest in _times(text, date.end()))


def _times(text: str, start: int) -> Iterator[str]:
    """The formats of what follows a date."""
    sign = _BETWEEN.match(text, start)
    begin = sign.end() if sign is not None else start
    for pattern in _TIMES:
        time = re.compile(pattern, re.IGNORECASE).match(text, begin)
        if time is None:
            continue
        spans = {time.span(name): name for name, found in time.groupdict().items() if found is not None}
        hour = "I" if "p" in spans.values() or "q" in spans.values() else "H"
        letters = {span: {"q": "p", "H": hour}.get(name, name) for span, name in spans.items()}
        yield _literal(text[start:begin]) + _written(text, begin, time.end(), letters)


def _written(text: str, start: int, end: int, letters: dict[tuple[int, int], str]) -> str:
    """A part of a text as a format: the spans as directives, the rest as it is."""
    written, at = "", start
    for (begin, stop), letter in sorted(letters.items()):
        written += _literal(text[at:begin]) + f"%{letter}"
        at = stop
    return written + _literal(text[at:end])


def _literal(text: str) -> str:
    return re.sub(r"[\u00a0\u202f]", " ", text).replace("%", "%%")
