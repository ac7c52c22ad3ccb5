"""The `readings` mapping as SQL: JSON payload -> asset, sensor, tag, instant, value, quality.

The same rules as `readings.mapping`, whose golden payloads both sides pass: a pattern of that package is used here
word for word. What SQL cannot express is refused by `unsupported`, before a job is submitted.
"""

from __future__ import annotations

from typing import Any

from eugenie_cli.readings import quality, values
from eugenie_cli.streamjob.instant_sql import literal

BLANKS = " \t"


def unsupported(mapping: dict[str, Any]) -> list[str]:
    """What of this mapping the stream cannot read, in words; empty when it can read all of it."""
    found = []
    if mapping["format"] != "json":
        found.append(f"format: {mapping['format']} (the stream reads json)")
    if mapping["shape"] != "long":
        found.append(f"shape: {mapping['shape']} (the stream reads long: one reading a message)")
    if mapping["ts"].get("format"):
        found.append("ts.format (the stream reads ISO 8601 and epoch numbers)")
    for part in ("asset", "sensor", "tag", "ts", "value", "quality"):
        if (mapping.get(part) or {}).get("file"):
            found.append(f"{part}.file (a message has no file name)")
    return found


def json_path(members: list[str]) -> str:
    """`["a", "b c"]` -> the SQL literal of the JSON path to member `b c` of member `a`."""
    steps = "".join("['" + member.replace("\\", "\\\\").replace("'", "\\'") + "']" for member in members)
    return literal(f"lax ${steps}")


def _member(path: str) -> str:
    exact = f"JSON_VALUE(payload, {json_path([path])})"
    if "." not in path:
        return exact
    return f"COALESCE({exact}, JSON_VALUE(payload, {json_path(path.split('.'))}))"


def text(part: dict[str, Any] | None) -> str:
    """The text of a part without blanks around it; NULL where there is none (a value may be empty, '')."""
    if not part:
        return "CAST(NULL AS STRING)"
    if part.get("const") is not None:
        return f"CAST({literal(part['const'])} AS STRING)"
    return f"BTRIM({_member(part['path'])}, {literal(BLANKS)})"


def is_null(part: dict[str, Any]) -> str:
    """True where the member is there and null: an absent one is a missing field, null is a bad value.

    JSON_VALUE and JSON_EXISTS both take null for absent, so the payload's text decides; asked for rare rows only.
    """
    if part.get("path") is None:
        return "FALSE"
    leaf = part["path"].split(".")[-1]
    pattern = '"' + "".join("\\" + c if not (c.isalnum() or c in " _") else c for c in leaf) + '"\\s*:\\s*null'
    return f"REGEXP(payload, {literal(pattern)})"


def _words(texts: frozenset[str] | set[str]) -> str:
    return ", ".join(literal(text) for text in sorted(texts))


def number(text: str, part: dict[str, Any]) -> str:
    """Text of the value as a plain number; '' for bad quality; NULL for text that is neither."""
    decimal = part.get("decimal", ".")
    point = text if decimal == "." else f"REPLACE({text}, ',', '.')"
    status = set(values.STATUS_TEXTS) | {"", *(word.strip().lower() for word in part.get("status") or ())}
    return (
        f"CASE WHEN REGEXP({text}, {literal(values.NUMBER_PATTERN[decimal])}) THEN"
        f" CASE WHEN ABS(TRY_CAST({point} AS DOUBLE)) <= {values.MAX_VALUE!r} THEN {point} ELSE '' END"
        f" WHEN LOWER({text}) IN ({_words(status)}) THEN ''"
        f" WHEN LOWER({text}) = 'true' THEN '1' WHEN LOWER({text}) = 'false' THEN '0' END"
    )


def good(text: str, part: dict[str, Any] | None) -> str:
    """TRUE for good quality, FALSE for bad, NULL for text that the scheme does not know."""
    if not part:
        return "TRUE"
    scheme = part.get("scheme", "words")
    code = f"CAST({text} AS BIGINT)"
    integer = f"REGEXP({text}, {literal(quality.INTEGER_PATTERN)})"
    words = (
        f"WHEN REGEXP(LOWER({text}), {literal(quality.GOOD_WORDS_PATTERN)}) THEN TRUE"
        f" WHEN REGEXP(LOWER({text}), {literal(quality.BAD_WORDS_PATTERN)}) THEN FALSE"
    )
    branches = {
        "words": words,
        "boolean": f"WHEN LOWER({text}) IN ('true', '1') THEN TRUE WHEN LOWER({text}) IN ('false', '0') THEN FALSE",
        "opcda": f"WHEN {integer} AND {code} BETWEEN 0 AND 65535 THEN MOD({code} / 64, 4) IN (1, 3)",
        "opcua": f"WHEN {integer} THEN CASE WHEN {code} BETWEEN -2147483648 AND 4294967295"
        f" THEN (({code} + 4294967296) / 1073741824) - (({code} + 4294967296) / 4294967296) * 4 IN (0, 1) END {words}",
    }
    # no quality in the message: the gateway reports by exception, so the reading is good
    return f"CASE WHEN {text} IS NULL OR {text} = '' THEN TRUE {branches[scheme]} END"
