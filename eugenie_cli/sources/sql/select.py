"""Checks that a query of a site file only reads, and marks its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator

PARAMETERS = ("start", "end")

_TOKENS = re.compile(
    r"""
    (?P<text> '(?:[^']|'')*' | (?P<dollar> \$[A-Za-z_]*\$ ) .*? (?P=dollar) )
    | (?P<name> "(?:[^"]|"")*" | `[^`]*` )
    | (?P<comment> --[^\n]* | /\*.*?\*/ )
    """,
    re.DOTALL | re.VERBOSE,
)
_PARAMETER = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)(?!:)")
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
    """The query for `sqlalchemy.text`: colons in literals, names and comments are no parameters."""
    parts = (part if is_code else part.replace(":", r"\:") for part, is_code in _parts(query))
    return "".join(parts).strip().rstrip(";")


def _parts(query: str) -> Iterator[tuple[str, bool]]:
    """Pieces of a query in order, and whether each is code rather than a literal, a quoted name or a comment."""
    end = 0
    for match in _TOKENS.finditer(query):
        yield query[end : match.start()], True
        yield match[0], False
        end = match.end()
    yield query[end:], True
