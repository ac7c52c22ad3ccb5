"""The `readings` mapping as SQL: JSON payload -> asset, sensor, tag, instant, value, quality.

The same rules as `readings.mapping`, whose golden payloads both sides pass: a pattern of that package is used here
word for word. What SQL cannot express is refused by `unsupported`, before a job is submitted.
"""

from __future__ import annotations

from typing import Any

from eugenie_cli.readings import quality, time, values

EPOCH = "TIMESTAMP '1969-01-01 00:00:00.000'"
"""Stands for no usable instant: before any that a reading may have, so it moves no watermark."""
UNUSABLE_BEFORE = "TIMESTAMP '1969-12-31 00:00:00.000'"
BLANKS = " \t"
UTC = ("UTC", "Z", "Etc/UTC")


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


def literal(text: str) -> str:
    """A SQL string literal. Control characters cannot occur: the site file refuses them."""
    return "'" + text.replace("'", "''") + "'"


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


def rowtime(mapping: dict[str, Any], timezone: str, latest: str) -> str:
    """The instant of a message, not after `latest` (SQL); EPOCH for a message that has none to use.

    Every use of the timestamp's text parses the JSON again, so the common spelling comes first, in few uses.
    """
    given = text(mapping["ts"])
    common = (
        _common_iso(given, timezone)
        if (mapping["ts"].get("unit") or "iso") == "iso"
        else instant(given, mapping, timezone)
    )
    other = instant(given, mapping, timezone)
    rare = "" if common == other else f" WHEN {other} <= {latest} THEN {other}"
    return f"CASE WHEN {common} <= {latest} THEN {common} WHEN {common} IS NOT NULL THEN {EPOCH}{rare} ELSE {EPOCH} END"


def instant(given: str, mapping: dict[str, Any], timezone: str) -> str:
    """TIMESTAMP(3) in UTC from the text of a timestamp; NULL where it is none."""
    part = mapping["ts"]
    unit = part.get("unit") or "iso"
    return _iso(given, part.get("timezone") or timezone) if unit == "iso" else _epoch(given, unit)


_DATE = (
    r"\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?"


def _common_iso(given: str, timezone: str) -> str:
    """`_iso` of a timestamp in UTC; NULL for others, and for 29 February, which has to be looked up."""
    offset = "(?:Z|z|[+-]00(?::?00)?)" + ("?" if timezone in UTC else "")
    pattern = f"^({_DATE}[T ]{_TIME}){offset}$"
    return f"TRY_CAST(REPLACE(REGEXP_EXTRACT({given}, {literal(pattern)}, 1), 'T', ' ') AS TIMESTAMP(3))"


def _epoch(text: str, unit: str) -> str:
    digits = {"s": 3, "ms": 0, "us": -3, "ns": -6}[unit]
    number = f"TRY_CAST({text} AS DECIMAL(38, 9))"
    scaled = f"{number} * {10**digits}" if digits >= 0 else f"{number} / {10**-digits}"
    millis = f"CAST(FLOOR({scaled}) AS BIGINT)"
    return (
        f"CASE WHEN REGEXP({text}, {literal(time.EPOCH_PATTERN)}) AND {millis} BETWEEN 0 AND {time.MAX_INSTANT}"
        f" THEN CAST(TO_TIMESTAMP_LTZ({millis}, 3) AS TIMESTAMP(3)) END"
    )


def _iso(text: str, timezone: str) -> str:
    whole = f"REPLACE(REPLACE(SUBSTRING({text}, 1, 19), 'T', ' '), 't', ' ')"
    # a fraction has up to nine digits and is cut to three; what follows it is the offset
    fraction = f"COALESCE(REGEXP_EXTRACT({text}, '^.{{19}}[.,](\\d{{1,3}})', 1), '0')"
    offset = f"REGEXP_EXTRACT({text}, '([+-]\\d\\d(:?\\d\\d)?)$', 1)"
    minutes = (
        f"(CAST(SUBSTRING({offset}, 2, 2) AS INT) * 60"
        f" + COALESCE(TRY_CAST(SUBSTRING(REPLACE({offset}, ':', ''), 4, 2) AS INT), 0))"
        f" * CASE WHEN SUBSTRING({offset}, 1, 1) = '-' THEN -1 ELSE 1 END"
    )
    local = f"TRY_CAST(CONCAT({whole}, '.', {fraction}) AS TIMESTAMP(3))"
    # Flink reads 30 February as the 28th; what it read must say the same day as the text
    same_day = f"SUBSTRING(CAST({local} AS STRING), 1, 10) = SUBSTRING({text}, 1, 10)"
    if timezone in UTC:
        without_offset = local
    else:
        seconds = f"TO_TIMESTAMP(CONVERT_TZ({whole}, {literal(timezone)}, 'UTC'))"
        without_offset = (
            f"CAST(TIMESTAMPADD(MINUTE, TIMESTAMPDIFF(MINUTE, {local}, {seconds}), {local}) AS TIMESTAMP(3))"
        )
    pattern = literal(time.ISO_PATTERN)
    return (
        f"CASE WHEN NOT REGEXP({text}, {pattern}) OR CHAR_LENGTH({text}) < 19 OR NOT ({same_day}) THEN NULL"
        f" WHEN SUBSTRING({text}, CHAR_LENGTH({text})) IN ('Z', 'z') THEN {local}"
        f" WHEN REGEXP({text}, '.{{11}}.*[+-]\\d\\d(:?\\d\\d)?$')"
        f" THEN CAST(TIMESTAMPADD(MINUTE, -({minutes}), {local}) AS TIMESTAMP(3))"
        f" ELSE {without_offset} END"
    )


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
