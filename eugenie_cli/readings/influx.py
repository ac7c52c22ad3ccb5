"""InfluxDB's line protocol, Telegraf's default format: `pump,host=pump-1 flow=12.5,running=t 1767225600000000000`.

A line becomes a record in the form of Telegraf's JSON: {"name", "tags", "fields", "timestamp"}, so that the same
mapping reads both. Fields are numbers (`12.5`), integers (`12i`, `12u`), booleans (`t`, `false`) and quoted texts. A
line without a timestamp has no "timestamp".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.json_text import MAX_PAYLOAD, decoded
from eugenie_cli.readings.reading import Rejected

_KEY = r"((?:[^,= \\\n]|\\.)+)"
_MEASUREMENT = re.compile(r"((?:[^, \\\n]|\\.)+)")
_TAG = re.compile(rf",{_KEY}={_KEY}")
_SPACES = re.compile(r" +")
_FIELD = re.compile(rf'{_KEY}=(?:"((?:[^"\\]|\\.)*)"|([^, \r\n"]+))', re.DOTALL)
_END = re.compile(r"(?: +(-?[0-9]{1,19}))? *\r?(?:\n|\Z)")

_NUMBER = re.compile(r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$")
_INTEGER = re.compile(r"^(-?[0-9]{1,19}i|[0-9]{1,20}u)$")
_TRUE, _FALSE = frozenset({"t", "T", "true", "True", "TRUE"}), frozenset({"f", "F", "false", "False", "FALSE"})
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_IN_TEXT = re.compile(r'\\(["\\])')

Record: TypeAlias = "dict[str, Any]"


def parse_influx(payload: bytes | None) -> list[tuple[int, Record | Rejected]] | Rejected:
    """The records of a payload with the numbers of their lines; `bad-influx` for a line, or payload, that has none.

    Blank lines and comments count as no line.
    """
    if payload is None:
        return _bad("a message without a payload")
    try:
        text = decoded(payload)
    except ValueError as error:
        return _bad(str(error))
    if len(text) > MAX_PAYLOAD:
        return Rejected(reject_reasons.TOO_LARGE, f"{len(text)} characters, at most {MAX_PAYLOAD}")
    return list(_lines(text)) or _bad("no line")


def is_line(text: str) -> bool:
    """Whether a text begins with a line of the protocol."""
    try:
        _point(text, 0)
    except ValueError:
        return False
    return True


def _lines(text: str) -> Iterator[tuple[int, Record | Rejected]]:
    at, number = 0, 1
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        line = text[at:end].strip()
        if line and not line.startswith("#"):
            at += len(text[at:end]) - len(text[at:end].lstrip())
            try:
                point, end = _point(text, at)  # a quoted text may contain line breaks
            except ValueError as error:
                yield number, _bad(str(error))
            else:
                yield number, point
        number += text.count("\n", at, end)
        at = end


def _point(text: str, at: int) -> tuple[Record, int]:
    """The record that begins at a position, and the position after its line. Raises ValueError with the reason."""
    match = _MEASUREMENT.match(text, at)
    if match is None:
        raise ValueError(f"no measurement at {_shown(text, at)}")
    record: Record = {"name": _plain(match[1]), "tags": {}, "fields": {}}
    at = match.end()
    while (match := _TAG.match(text, at)) is not None:
        record["tags"][_plain(match[1])] = _plain(match[2])
        at = match.end()
    match = _SPACES.match(text, at)
    if match is None:
        raise ValueError(f"neither a tag nor a blank before the fields at {_shown(text, at)}")
    at = match.end()
    while True:
        match = _FIELD.match(text, at)
        if match is None:
            raise ValueError(f"no field, such as flow=12.5, at {_shown(text, at)}")
        name = _plain(match[1])
        record["fields"][name] = _value(name, match[3]) if match[2] is None else _ESCAPED_IN_TEXT.sub(r"\1", match[2])
        at = match.end()
        if text[at : at + 1] != ",":
            break
        at += 1
    match = _END.match(text, at)
    if match is None:
        raise ValueError(f"neither a field nor a timestamp at {_shown(text, at)}")
    if match[1] is not None:
        record["timestamp"] = int(match[1])
    return record, match.end()


def _value(name: str, text: str) -> float | int | bool:
    if _NUMBER.match(text):
        return float(text)
    if _INTEGER.match(text):
        return int(text[:-1])
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"field {name[:60]!r} is {text[:60]!r}: neither a number, an integer, a boolean nor quoted text")


def _plain(key: str) -> str:
    return _ESCAPED.sub(r"\1", key) if "\\" in key else key


def _shown(text: str, at: int) -> str:
    line = text[at : at + 40].split("\n")[0]
    return repr(line) if line else "the end of the line"


def _bad(detail: str) -> Rejected:
    return Rejected(reject_reasons.BAD_INFLUX, detail)
