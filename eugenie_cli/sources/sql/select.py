"""Checks that a query of a site file only reads, and marks its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator

PARAMETERS = ("start", "end")

_TOKENS = re.compile(
    r"""
    (?P<text> \b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | (?P<dollar> \$[A-Za-z_]*\$ ) .*? (?P=dollar) )
    | (?P<name> "(?:[^"]|"")*" | `[^`]*` )
    | (?P<comment> --[^\n]* | /\*.*?\*/ )
    """,
    re.DOTALL | re.VERBOSE,
)
_PARAMETER = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)\b")
_NESTED = re.compile(r"\([^()]*\)")
_LIMIT = re.compile(
    r"(?i)^\s*select\s+(?:distinct\s+|all\s+)?top\s*\(?\s*(?P<top>\d+)|\blimit\s+(?:\d+\s*,\s*)?(?P<limit>\d+)"
    r"|\bfetch\s+(?:first|next)\s+(?P<fetch>\d+)"
)
_WRITES = re.compile(r"(?i)\b(insert|update|delete|merge|drop|alter|create|truncate|grant|call|exec|execute|into)\b")


def problem_of_select(query: str) -> str | None:
    """Why a text is not one SELECT with `:start` and `:end`; None if it is."""
    code = " ".join(part for part, is_code in _parts(query) if is_code).strip().rstrip(";").strip()
    if re.match(r"(?i)(select|with)\b", code) is None:
        return "must begin with SELECT or WITH: a source is only read"
    if ";" in code:
        return "must be a single statement, without ;"
    if (found := _WRITES.search(code)) is not None:
        return f"must only read, but contains {found[1].upper()}; a name that is such a word needs quotes"
    named = set(_PARAMETER.findall(code))
    for missing in (name for name in PARAMETERS if name not in named):
        return (
            f"must contain :{missing}, so that a window of time is read at a time: "
            "WHERE ts >= :start AND ts < :end, with your column's name"
        )
    for other in sorted(named - set(PARAMETERS)):
        return f":{other} is not bound: only :start and :end are"
    return None


def marked(query: str) -> str:
    """The query for `sqlalchemy.text`, with which another one can go on: colons in literals, names and comments are no
    parameters, and neither a `;` nor a comment ends it. A blank after each parameter keeps it apart from a cast.
    """
    text = "".join(
        _PARAMETER.sub(r":\1 ", part.replace(";", " ")) if is_code else part.replace(":", r"\:")
        for part, is_code in _parts(query)
    ).strip()
    last = text.rpartition("\n")[2]
    return f"{text}\n" if "--" in last or "#" in last else text


def row_limit(query: str) -> int | None:
    """The number of rows to which a query limits itself; None if it does not, or not by a number."""
    code = "".join(part for part, is_code in _parts(query) if is_code)
    top = _LIMIT.match(code)
    while (outer := _NESTED.sub(" ", code)) != code:
        code = outer
    found = top if top is not None else _LIMIT.search(code)
    return None if found is None else int(found["top"] or found["limit"] or found["fetch"])


def _parts(query: str) -> Iterator[tuple[str, bool]]:
    """Pieces of a query in order, and whether each is code rather than a literal, a quoted name or a comment."""
    end = 0
    for match in _TOKENS.finditer(query):
        yield query[end : match.start()], True
        yield match[0], False
        end = match.end()
    yield query[end:], True
