"""Timestamps as SQL: the text of one -> TIMESTAMP(3) in UTC, by the rules of `readings.time`.

The watermark's expression has only the payload to work on, and each use of a text there parses the JSON again. So
`rowtime` is short and believes what it is told; `is_instant`, which sees the text as a column, checks it.
"""

from __future__ import annotations

from typing import Any

from eugenie_cli.readings import time

EPOCH = "TIMESTAMP '1969-01-01 00:00:00.000'"
"""Stands for no usable instant: before any that a reading may have, so it moves no watermark."""
FIRST = "TIMESTAMP '1970-01-01 00:00:00.000'"

UTC = ("UTC", "Z", "Etc/UTC")
OVERLAPS_MIN = (30, 60)
"""By how much clocks are set back: half an hour on Lord Howe Island, an hour elsewhere."""

_LEAP_YEAR = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    r"(?:(?:19[7-9]|[2-9]\d\d)\d-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    rf"|02-(?:0[1-9]|1\d|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?"
_OFFSET = r"(?:[Zz]|[+-](?:(?:0\d|1[0-7])(?::?[0-5]\d)?|18(?::?00)?))"
ISO = f"^{_DATE}[Tt ]{_TIME} ?{_OFFSET}?$"
"""`readings.time.ISO_PATTERN`, with the calendar and the clock in it."""
ISO_WITH_OFFSET = "^.{16}.*(?:[Zz]|[+-]\\d\\d(?::?\\d\\d)?)$"
_SIGN_HOURS_MINUTES = "^.{16}.*([+-])(\\d\\d):?(\\d\\d)?$"


def literal(text: str) -> str:
    """A SQL string literal. Control characters cannot occur: the site file refuses them."""
    return "'" + text.replace("'", "''") + "'"


def rowtime(text: str, part: dict[str, Any], timezone: str, latest: str) -> str:
    """The instant in a payload, not after `latest`; EPOCH where there is none to use.

    It takes some texts that are no timestamps (30 February): they move the watermark by what they nearly say, and are
    dead letters all the same.
    """
    if _unit(part) != "iso":
        candidates = [_epoch(text, _unit(part))]
    elif _zone(part, timezone) in UTC:  # first what nearly all messages say, for which one use of the text is enough
        candidates = [f"TRY_CAST({_plain(text)} AS TIMESTAMP(3))", _with_offset(text)]
    else:
        with_offset = f"REGEXP({text}, {literal(ISO_WITH_OFFSET)})"
        local = _from_zone(text, _zone(part, timezone))
        candidates = [f"CASE WHEN {with_offset} THEN {_with_offset(text)} ELSE {local} END"]
    whens = [f"WHEN {one} <= {latest} THEN {one} WHEN {one} IS NOT NULL THEN {EPOCH}" for one in candidates]
    return f"CASE {' '.join(whens)} ELSE {EPOCH} END"


def is_instant(text: str, part: dict[str, Any], timezone: str) -> str:
    """Whether a text, taken out of the payload already, is a timestamp."""
    if _unit(part) != "iso":
        return f"{_epoch(text, _unit(part))} IS NOT NULL"
    valid = f"REGEXP({text}, {literal(ISO)})"
    zone = _zone(part, timezone)
    if zone in UTC:
        return valid
    return f"({valid} AND (REGEXP({text}, {literal(ISO_WITH_OFFSET)}) OR {_occurs_once(text, zone)}))"


def _unit(part: dict[str, Any]) -> str:
    return part.get("unit") or "iso"


def _zone(part: dict[str, Any], timezone: str) -> str:
    return part.get("timezone") or timezone


def _epoch(text: str, unit: str) -> str:
    digits = {"s": 3, "ms": 0, "us": -3, "ns": -6}[unit]
    number = f"TRY_CAST({text} AS DECIMAL(38, 9))"
    scaled = f"{number} * {10**digits}" if digits >= 0 else f"{number} / {10**-digits}"
    millis = f"CAST(FLOOR({scaled}) AS BIGINT)"
    return (
        f"CASE WHEN REGEXP({text}, {literal(time.EPOCH_PATTERN)}) AND {millis} BETWEEN 0 AND {time.MAX_INSTANT}"
        f" THEN CAST(TO_TIMESTAMP_LTZ({millis}, 3) AS TIMESTAMP(3)) END"
    )


def _plain(text: str) -> str:
    return f"REPLACE(REPLACE(REPLACE(UPPER({text}), 'Z', ''), 'T', ' '), ',', '.')"


def _local(text: str) -> str:
    """What the clock on the wall says, whatever the offset; seconds may be left out."""
    plain = _plain(text)
    seconds = f"REGEXP_EXTRACT({plain}, '^.{{16}}(:\\d\\d(?:\\.\\d+)?)', 1)"
    return f"TRY_CAST(CONCAT(SUBSTRING({plain}, 1, 16), COALESCE({seconds}, ':00')) AS TIMESTAMP(3))"


def _with_offset(text: str) -> str:
    pattern = literal(_SIGN_HOURS_MINUTES)
    sign, hours, minutes = (f"REGEXP_EXTRACT({text}, {pattern}, {group})" for group in (1, 2, 3))
    ahead = f"COALESCE(TRY_CAST({hours} AS INT), 0) * 60 + COALESCE(TRY_CAST({minutes} AS INT), 0)"
    shift = f"({ahead}) * CASE WHEN {sign} = '-' THEN 1 ELSE -1 END"
    return f"CAST(TIMESTAMPADD(MINUTE, {shift}, {_local(text)}) AS TIMESTAMP(3))"


def _whole(text: str) -> str:
    return f"SUBSTRING(CAST({_local(text)} AS STRING), 1, 19)"


def _in_utc(text: str, zone: str) -> str:
    return f"TO_TIMESTAMP(CONVERT_TZ({_whole(text)}, {literal(zone)}, 'UTC'))"


def _from_zone(text: str, zone: str) -> str:
    shift = f"TIMESTAMPDIFF(MINUTE, TO_TIMESTAMP({_whole(text)}), {_in_utc(text, zone)})"
    return f"CAST(TIMESTAMPADD(MINUTE, {shift}, {_local(text)}) AS TIMESTAMP(3))"


def _occurs_once(text: str, zone: str) -> str:
    """A local time that occurs twice is read back from a shifted instant, too; one that never occurs from none."""

    def read_back(shift_min: int) -> str:
        moved = f"CAST(TIMESTAMPADD(MINUTE, {shift_min}, {_in_utc(text, zone)}) AS STRING)"
        return f"CONVERT_TZ(SUBSTRING({moved}, 1, 19), 'UTC', {literal(zone)})"

    others = [read_back(shift) for minutes in OVERLAPS_MIN for shift in (minutes, -minutes)]
    return f"({read_back(0)} = {_whole(text)} AND {_whole(text)} NOT IN ({', '.join(others)}))"
