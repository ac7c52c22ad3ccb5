"""Data quality: what gateways and historians say -> good or bad.

*Uncertain counts as good*: the value is the device's best knowledge, and a sensor that is always "uncertain"
(a substituted or locally overridden input) would otherwise never be seen. What is reserved by a standard
counts as bad.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Case-insensitive, on trimmed text. The OPC UA names (GoodClamped, BadNodeIdUnknown) share their first word.
GOOD_WORDS_PATTERN = r"^(?:good.*|uncertain.*|questionable|ok|valid|normal|substituted)$"
BAD_WORDS_PATTERN = (
    r"^(?:bad.*|not good|invalid|error|fault|fail|failed|failure|stale|null|none|unknown|offline|missing)$"
)
TRUE_PATTERN = r"^(?:true|1)$"
FALSE_PATTERN = r"^(?:false|0)$"
INTEGER_PATTERN = r"^-?[0-9]{1,10}$"

OPC_DA_MASK = 0xC0  # the two quality bits of QQSSSSLL, OPC DA 3.0, 6.8
OPC_DA_GOOD = 0xC0
OPC_DA_UNCERTAIN = 0x40
OPC_UA_SEVERITY_SHIFT = 30  # OPC 10000-4, 7.39: 00 good, 01 uncertain, 10 bad, 11 reserved

GOOD = 192  # what history stores; OPC DA's code
BAD = 0

IsGood = Callable[[str], bool]
"""Trimmed, non-empty text -> good or not. Raises ValueError for text that the scheme does not know."""

_GOOD_WORDS = re.compile(GOOD_WORDS_PATTERN, re.IGNORECASE)
_BAD_WORDS = re.compile(BAD_WORDS_PATTERN, re.IGNORECASE)
_TRUE = re.compile(TRUE_PATTERN, re.IGNORECASE)
_FALSE = re.compile(FALSE_PATTERN, re.IGNORECASE)
_INTEGER = re.compile(INTEGER_PATTERN)


def opcda(text: str) -> bool:
    """OPC DA: a 16-bit number whose bits 6 and 7 are the quality."""
    code = int(text) if _INTEGER.match(text) else -1
    if not 0 <= code <= 0xFFFF:
        raise ValueError(f"quality {text!r} is not an OPC DA quality (0 to 65535, good is 192)")
    return code & OPC_DA_MASK in (OPC_DA_GOOD, OPC_DA_UNCERTAIN)


def opcua(text: str) -> bool:
    """OPC UA: a 32-bit status code, signed or not, whose top two bits are the severity; or its name."""
    if _INTEGER.match(text):
        code = int(text)
        if -(1 << 31) <= code < 1 << 32:
            return (code & 0xFFFF_FFFF) >> OPC_UA_SEVERITY_SHIFT in (0, 1)
        raise ValueError(f"quality {text!r} does not fit the 32 bits of an OPC UA status code")
    return words(text)


def words(text: str) -> bool:
    """Words: good, uncertain, bad and their common synonyms, in any case."""
    if _GOOD_WORDS.match(text):
        return True
    if _BAD_WORDS.match(text):
        return False
    raise ValueError(f"quality {text!r} is neither good, uncertain nor bad")


def boolean(text: str) -> bool:
    """true or 1: good; false or 0: bad."""
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    raise ValueError(f"quality {text!r} is neither true nor false")


SCHEMES: dict[str, IsGood] = {"opcda": opcda, "opcua": opcua, "words": words, "boolean": boolean}
