"""Words for quality: good, uncertain, bad, and their synonyms in historians, gateways and standards."""

from __future__ import annotations

import re

from eugenie_cli.readings.values import STATUS_TEXTS

GOOD_WORDS = frozenset(
    [
        "good",
        "uncertain",
        "questionable",
        "suspect",
        "doubtful",
        "ok",
        "valid",
        "normal",
        "substituted",
        "raw",
        "interpolated",
        "calculated",
        "manual",
        "annotated",
        "estimated",
        "edited",
        "initial value",
        "uncer",
        "non specific",
        "g",
        "u",
    ]
)
"""Whole texts, in lower case."""
GOOD_PHRASES = frozenset(
    ["local override", "last known", "last known value", "last usable value", "not bad", "sub normal", "subnormal"]
)
NO_VALUE = frozenset({"goodnodata", "goodnodatavalue", "good no data", "good nodata"})
"""OPC UA's words for a response without a value: a number next to them is a placeholder."""
BAD_WORDS = frozenset(
    [
        "bad",
        "error",
        "fault",
        "faulted",
        "fail",
        "failed",
        "failure",
        "invalid",
        "stale",
        "null",
        "none",
        "unknown",
        "offline",
        "missing",
        "disconnected",
        "disabled",
        "timeout",
        "uninitialized",
        "initial",
        "expired",
        "unreliable",
        "unavailable",
        "b",
    ]
)
"""A text that contains one of these words means a bad reading."""
BAD_PHRASES = frozenset(
    """not good, not connected, not found, not available, out of service, out of range, out of serv, no data,
    no value, no status, no communication, no good data, not initialized, access denied, demo expired,
    last known bad""".replace("\n    ", " ").split(", ")
)

_TOKEN = re.compile(r"[^\W_]+")
_SEVERITY = re.compile(r"^(?:[Ss]tatus)?(?:(?i:good|uncertain)$|(?:Good|Uncertain)(?=[A-Z]))")


def is_good_word(text: str) -> bool:
    """Whether a quality text means good. Raises ValueError for an unknown text.

    The names of OPC UA (GoodClamped, BadNodeIdUnknown) and of Ignition (Good_Unspecified, Error_ExpressionEval) begin
    with their severity. A text that contains a bad word anywhere else is bad.
    """
    text = text.strip(" \t")
    tokens = _TOKEN.findall(text)
    lower = [token.lower() for token in tokens]
    phrase = " ".join(lower)
    if phrase in GOOD_WORDS or phrase in GOOD_PHRASES:
        return True
    if phrase in NO_VALUE or text.lower() in STATUS_TEXTS or phrase in BAD_PHRASES:
        return False
    if tokens and _SEVERITY.match(tokens[0]):
        return not {"bad", "not"} & set(lower)
    if (tokens and lower[0].removeprefix("status").startswith("bad")) or not BAD_WORDS.isdisjoint(lower):
        return False
    raise ValueError(f"quality {text!r} is neither good, uncertain nor bad")
