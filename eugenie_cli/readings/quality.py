"""Data quality: the codes of gateways and historians -> good or bad.

*Uncertain counts as good*: the value is the device's best knowledge, and a sensor that is always "uncertain"
(a substituted or locally overridden input) would otherwise be ignored. A code that its scheme does not define is never
good: codes that a standard reserves, or that other systems use for errors, are bad; any other code is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from eugenie_cli.readings.code_lists import CodeList, integer
from eugenie_cli.readings.quality_words import is_good_word

CODE_PATTERN = r"^(.*?)[ \t]*\(0[xX]([0-9A-Fa-f]{1,8})\)$"
"""Words followed by a status code: `The operation succeeded. StatusGood (0x0)`."""
TRUE_PATTERN = r"^(?:true|1(?:[.,]0*)?)$"
FALSE_PATTERN = r"^(?:false|0(?:[.,]0*)?)$"

OPC_DA_LARGEST = 0xFF  # QQSSSSLL: quality, substatus and limit; OPC DA 3.0, 6.8
OPC_DA_MASK = 0xC0
OPC_DA_GOOD = 0xC0
OPC_DA_UNCERTAIN = 0x40
OPC_DA_VENDOR = 0xFFFF  # the high byte is the vendor's: Sparkplug uses 500 for stale, Ignition 300 to 902 for errors

IGNITION_UNCERTAIN = range(256, 262)  # subcodes since 8.0, without the bits of their level

_FACTORYTALK_BAD = frozenset("DESU")
_WONDERWARE_GOOD = frozenset({0, 16, 133})

OPC_UA_SEVERITY_SHIFT = 30  # OPC 10000-4, 7.39: 00 good, 01 uncertain, 10 bad, 11 reserved
OPC_UA_RESERVED = 0x3000_3060  # bits that a code must not have
OPC_UA_INFO = 0x0000_0C00  # the type of the info bits: 00 unused, 01 of a data value, else reserved
OPC_UA_OF_DATA_VALUE = 0x0000_0400
OPC_UA_INFO_BITS = 0x0000_03FF
OPC_UA_SUB_CODE_SHIFT = 16
OPC_UA_GOOD_NO_DATA = 0x00A5  # a successful response without a value

GOOD = 192  # as stored in the history; OPC DA's code
BAD = 0

IsGood = Callable[[str], bool]
"""Trimmed, non-empty text -> good or not. Raises ValueError for text that the scheme does not know."""

_CODE = re.compile(CODE_PATTERN)
_STATUS_CODE = re.compile(r"^0[xX][4-9A-Fa-f][0-9A-Fa-f]{7}$")
"""All eight digits of an uncertain or bad status code, which is not a code of any other system."""
_STATUS_NAME = re.compile(r"^(?:Status)?(?:Good|Uncertain|Bad)(?:[A-Z]|$)")
_TRUE = re.compile(TRUE_PATTERN, re.IGNORECASE)
_FALSE = re.compile(FALSE_PATTERN, re.IGNORECASE)


def opcda(text: str) -> bool:
    """OPC DA: a number whose bits 6 and 7 are the quality. Numbers above 255 are not OPC DA qualities, and are bad.

    Vendors may use the high byte; those that do put their own error codes there. By its low byte alone, Sparkplug's 500
    (stale) would be good.
    """
    code = integer(text)
    if code is None or not 0 <= code <= OPC_DA_VENDOR:
        raise ValueError(f"quality {text!r} is not an OPC DA quality (0 to 255, good is 192){_other(text)}")
    return _is_good_byte(code)


def ignition(text: str) -> bool:
    """Ignition: OPC DA's numbers, uncertain from 256 to 261, other errors above 255; words.

    Since 8.0 a code also has its level in bits 30 and 31: 01 for uncertain, 10 for bad, 11 for an error.
    """
    code = integer(text)
    if code is None:
        return words(text)
    level = _as_32_bits(text, code) >> OPC_UA_SEVERITY_SHIFT
    if level == 0:
        return code in IGNITION_UNCERTAIN or _is_good_byte(code)
    return level == 1


def opcua(text: str) -> bool:
    """OPC UA: a 32-bit status code, signed or not, whose top two bits are the severity; or its name; or both.

    A good or uncertain code with reserved bits is refused: 192 and 500 are codes of other systems.
    """
    code = integer(text)
    if code is not None:
        return _status_code(text, _as_32_bits(text, code))
    named = _CODE.match(text)
    if named is not None:
        good = _status_code(text, int(named[2], 16))
        return good and _agrees(_name(named[1]))
    return words(text)


def words(text: str) -> bool:
    """Words: good, uncertain, bad and common synonyms, case-insensitive; with or without an OPC UA status code."""
    named = _CODE.match(text)
    if named is not None and named[1]:
        return is_good_word(_name(named[1])) and _status_code(text, int(named[2], 16))
    if _STATUS_CODE.match(text):  # what Telegraf writes for a code whose name it does not know
        return _status_code(text, int(text, 16))
    if integer(text) is not None:
        raise ValueError(f"quality {text!r} is a number, not a word{_other(text)}")
    if text.upper() in _FACTORYTALK_BAD - {"U"}:
        raise ValueError(f"quality {text!r} is a letter: `scheme: factorytalk` reads those of FactoryTalk's data logs")
    return is_good_word(text)


def boolean(text: str) -> bool:
    """true or 1: good; false or 0: bad."""
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    raise ValueError(f"quality {text!r} is neither true nor false{_other(text)}")


def of_object(status: Mapping[str, Any]) -> bool:
    """OPC UA's StatusCode as an object, such as {"Code": 2150891520, "Symbol": "BadNoCommunication"}.

    Code 0 may be omitted (OPC 10000-6, 5.4.2.11). Raises ValueError for any other object.
    """
    code, symbol = status.get("Code"), status.get("Symbol")
    texts = [str(part).strip(" \t") for part in (code, symbol) if isinstance(part, (int, float, str))]
    if not all(texts) or not texts or len(texts) != sum(part is not None for part in (code, symbol)):
        raise ValueError("a quality is a number, text, or OPC UA's object of Code and Symbol: else name its member")
    return opcua(texts[0]) and all(map(_agrees, texts[1:]))


def _name(text: str) -> str:
    """The name in `The operation succeeded. StatusGood`: its description may contain any word, such as failed."""
    last = text.rpartition(" ")[2]
    if _STATUS_NAME.match(last):
        return last
    return text.rpartition(".")[2].strip(" \t") or text


def _is_good_byte(code: int) -> bool:
    """Whether a non-negative number is a good or uncertain OPC DA quality."""
    return code <= OPC_DA_LARGEST and code & OPC_DA_MASK in (OPC_DA_GOOD, OPC_DA_UNCERTAIN)


def _as_32_bits(text: str, code: int) -> int:
    if not -(1 << 31) <= code < 1 << 32:
        raise ValueError(f"quality {text!r} does not fit the 32 bits of a status code")
    return code & 0xFFFF_FFFF


def _status_code(text: str, code: int) -> bool:
    if code >> OPC_UA_SEVERITY_SHIFT not in (0, 1):
        return False
    kind = code & OPC_UA_INFO
    if code & OPC_UA_RESERVED or (code & OPC_UA_INFO_BITS if not kind else kind != OPC_UA_OF_DATA_VALUE):
        raise ValueError(
            f"quality {text!r} is not an OPC UA status code (good is 0, bad 2147483648 and above){_other(text)}"
        )
    return code >> OPC_UA_SUB_CODE_SHIFT != OPC_UA_GOOD_NO_DATA


def _agrees(text: str) -> bool:
    """False if the words next to a good code call the reading bad; any other text does not matter."""
    try:
        return is_good_word(text)
    except ValueError:
        return True


def _other(text: str) -> str:
    """A hint that names the scheme to which the text may belong; empty if that is unclear."""
    code = integer(text)
    if code is None:
        if text.lower() in ("true", "false"):
            return ": `scheme: boolean` reads true and false"
        return ": `scheme: words` reads words" if text[:1].isalpha() else ""
    if code in (192, 64, 24, 500):
        return ": `scheme: opcda` reads OPC DA's numbers, where 192 is good"
    if code < 0 or code > OPC_DA_VENDOR:
        return ": `scheme: opcua` reads OPC UA's status codes, `ignition` those of Ignition"
    return ": set `scheme` to that of its numbers: opcda, ignition, opcua or boolean"


def factorytalk(text: str) -> bool:
    """FactoryTalk View's data logs: no letter is good; D (disabled), E (error), S (stale), U (no value yet) bad."""
    return text.upper() not in _FACTORYTALK_BAD and words(text)


def wonderware(text: str) -> bool:
    """AVEVA (Wonderware) Historian's `Quality`, or `QualityDetail` with OPC DA's numbers in its low byte; or words.

    `Quality` is 0 good, 1 bad, 16 doubtful, 133 good but the first value of a query; any other number is bad.
    """
    code = integer(text)
    if code is None:
        return words(text)
    return code in _WONDERWARE_GOOD or (code <= OPC_DA_LARGEST and code & OPC_DA_MASK == OPC_DA_GOOD and code < 248)


SCHEMES: dict[str, IsGood] = {
    "opcda": opcda,
    "opcua": opcua,
    "ignition": ignition,
    "words": words,
    "boolean": boolean,
    "sparkplug": opcda,
    "sitewise": words,
    "telegraf": opcua,
    "factorytalk": factorytalk,
    "wonderware": wonderware,
}
"""Name in the site file -> its rule. sparkplug, sitewise and telegraf have the qualities of a scheme above."""


def compile_quality(part: Mapping[str, Any] | None) -> IsGood:
    """The rule of a mapping's quality part; None: the default scheme.

    Its lists `bad`, `good` and `uncertain` (which counts as good) precede the scheme: words, numbers in any notation,
    and ranges such as 64..127. If there is only a list of good ones, a code that the scheme does not know is bad.
    """
    part = part or {}
    by_scheme = SCHEMES[part.get("scheme") or "words"]
    bad, good = CodeList(part.get("bad") or ()), CodeList((*(part.get("good") or ()), *(part.get("uncertain") or ())))
    if not bad and not good:
        return by_scheme

    def is_good(text: str) -> bool:
        if text in bad:
            return False
        if text in good:
            return True
        try:
            return by_scheme(text)
        except ValueError as error:
            if not bad:
                return False
            raise ValueError(f"{error}; it is in none of the lists `good`, `bad` and `uncertain`") from None

    return is_good
