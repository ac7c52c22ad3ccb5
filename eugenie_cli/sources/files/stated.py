"""The date, or the start of elapsed time, that a file states once: in its name, or in a line above its table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.readings.stated import found_in, value_of
from eugenie_cli.sources.files.names import spans_of

KINDS = ("date", "start")
_AFTER_MARK = " \t:=;,\"'"


def bind_names(mapping: Mapping[str, Any], file: PurePath, timezone: str) -> dict[str, Any]:
    """The mapping with the date or start of its `ts` that the name of `file` states. Raises EugenieError."""
    return _bound(mapping, "file", lambda kind, stated, zone: _in_name(kind, stated, file, zone), timezone)


def bind_lines(mapping: Mapping[str, Any], lines: Sequence[str], where: str, timezone: str) -> dict[str, Any]:
    """The mapping with the date or start of its `ts` that the lines above a table state. `where`: the file, in
    messages. Raises EugenieError.
    """
    return _bound(mapping, "line", lambda kind, stated, zone: _in_lines(kind, stated, lines, where, zone), timezone)


def states_in(mapping: Mapping[str, Any], way: str) -> bool:
    """Whether the `ts` of a mapping has a date or start in the file's name (`file`) or in a `line`."""
    sections = (mapping["ts"].get(kind) for kind in KINDS)
    return any(isinstance(stated, Mapping) and stated.get(way) for stated in sections)


def _bound(mapping: Mapping[str, Any], way: str, find: Any, timezone: str) -> dict[str, Any]:
    ts = dict(mapping["ts"])
    for kind in KINDS:
        stated = ts.get(kind)
        if isinstance(stated, Mapping) and stated.get(way):
            ts[kind] = find(kind, stated, ts.get("timezone") or timezone)
    return {**mapping, "ts": ts}


def _in_name(kind: str, stated: Mapping[str, Any], file: PurePath, timezone: str) -> Any:
    pattern, format = stated["file"], stated.get("format") or ""
    name, spans = spans_of(kind, pattern, file, pattern.count("/") + format.count("/"))
    read: dict[tuple[int, int], Any] = {}
    for start, end in spans:
        with suppress(ValueError):
            read[start, end] = value_of(kind, name[start:end], stated, timezone)
    # 3.1.2026 is a part of 13.1.2026, if the pattern has any text before it
    longest = [span for span in read if not any(o != span and o[0] <= span[0] and span[1] <= o[1] for o in read)]
    found = list(dict.fromkeys(read[span] for span in longest))
    what = f"{printable(str(file))}: by the pattern {pattern!r}, its name"
    return _one(kind, stated, found, what, f"`ts: {{{kind}: {{file: ...}}}}`, its `format`, or the source's `path`")


def _in_lines(kind: str, stated: Mapping[str, Any], lines: Sequence[str], where: str, timezone: str) -> Any:
    texts = []
    for mark in stated["line"]:
        line = next((line for line in lines if begins(line, mark)), None)
        if line is None:
            raise EugenieError(
                f"{where}: no line above the table begins with {mark!r}",
                hint=f"correct `ts: {{{kind}: {{line: ...}}}}`; in a CSV file, `table` says where the table begins",
            )
        texts.append((_rest(line, mark) or "").strip(_AFTER_MARK))
    what = f"{where}: the line {printable(' and '.join(map(repr, stated['line'])), 80)}"
    found = found_in(kind, " ".join(texts), stated, timezone)
    return _one(kind, stated, found, what, f"the `format` of `ts: {{{kind}: ...}}`")


def begins(line: str, mark: str) -> bool:
    """Whether a line begins with a mark, and not with a longer word."""
    return _rest(line, mark) is not None


def _rest(line: str, mark: str) -> str | None:
    """What follows a mark at the beginning of a line; None if the line begins with other text."""
    text = line.strip(' \t"\ufeff')
    return text[len(mark) :] if text.startswith(mark) and not re.match(r"\w\w", text[len(mark) - 1 :]) else None


def _one(kind: str, stated: Mapping[str, Any], found: Sequence[Any], what: str, hint: str) -> Any:
    if len(found) == 1:
        return found[0]
    form = stated.get("format") or "ISO 8601"
    which = f"several {kind}s" if found else f"no {kind}"
    raise EugenieError(f"{what} has {which} in the format {form}", hint=f"correct {hint}")
