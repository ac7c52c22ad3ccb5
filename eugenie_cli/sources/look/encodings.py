"""The encoding of a text file: by its byte order mark, its zero bytes, or whether it is valid UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from eugenie_cli.printable import printable
from eugenie_cli.sources.look.findings import Notes

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
_PAGES = ("cp1252", "cp1254", "cp1250", "cp1251", "cp1253", "cp850")
"""Windows code pages (western, Turkish, central European, Cyrillic, Greek), and the console's."""
_HIGH = re.compile(rb"[\x80-\xff]")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_SYMBOLS = frozenset("\u00b0\u00b5\u00b3\u00b2\u00b7\u00b1\u2030\u2013\u2014\u2019\u00a0\u20ac")
"""Of units and sentences, in any language."""
_DEGREES = re.compile("°(?:[CFKR]|\\W|$)")
_WESTERN = "äöüßéèêëàâçñîïôûåæøáíóúãõ"
_LETTERS = {
    "cp1252": frozenset(_WESTERN),
    "cp1254": frozenset("ğşıi̇" + _WESTERN),
    "cp1250": frozenset("ąćęłńóśźżáčďéěíňřšťúůýžäöüßőűľĺŕôăâîșțşţđ"),
    "cp1251": frozenset("абвгдежзиклмнопрстуфхцчшщыэюя"),
    "cp1253": frozenset("αβγδεζηθικλμνξοπρσςτυφχψω"),
}
_OWN = {page: letters - set(_WESTERN) for page, letters in _LETTERS.items()}
SHOWN = 40


def encoding_of(parts: Sequence[bytes], notes: Notes) -> str:
    """The encoding of the parts of a text; the first one is its beginning."""
    head = parts[0]
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            notes.find("encoding", encoding, "byte order mark")
            return encoding
    begin = head[:4096]
    even, odd, half = begin[0::2].count(0), begin[1::2].count(0), max(1, len(begin) // 2)
    if len(begin) >= 4 and max(even, odd) > 0.8 * half and min(even, odd) < 0.1 * half:
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        notes.find("encoding", encoding, "every second byte is zero")
        return encoding
    data = b"\n".join(parts)
    if data.isascii():
        notes.find("encoding", "utf-8", "plain ASCII")
        return "utf-8"
    multibyte, high = _MULTIBYTE.findall(data), len(_HIGH.findall(data))
    damaged = high - sum(map(len, multibyte))
    if multibyte and damaged <= len(multibyte):
        notes.find("encoding", "utf-8", f"{damaged} bytes are damaged" if damaged else "valid UTF-8")
        return "utf-8"
    return _code_page(data, notes)


def _code_page(data: bytes, notes: Notes) -> str:
    """A single-byte encoding. Only those in which the text reads otherwise are alternatives."""
    words = _words_with_high_bytes(data)
    readings: dict[str, list[str]] = {}
    for page in _PAGES:
        try:
            readings[page] = [word.decode(page) for word in words]
        except UnicodeDecodeError:
            continue
    if not readings:
        notes.check("encoding", "some bytes are in no encoding that is known; cp1252 was taken")
        return "cp1252"
    chosen = max(readings, key=lambda page: (_plausibility(page, readings[page]), -_PAGES.index(page)))
    others = {
        page: texts for page, texts in readings.items() if texts != readings[chosen] and _plausibility(page, texts) > 0
    }
    shown = ", ".join(printable(word, SHOWN) for word in readings[chosen][:3])
    notes.find("encoding", chosen, f"not valid UTF-8; reads {shown}")
    if others:
        listed = "; ".join(f"{page}: {printable(texts[0], SHOWN)}" for page, texts in list(others.items())[:3])
        notes.check("encoding", f"with encoding {chosen} the file contains {shown}: is that right", listed)
    return chosen


def _words_with_high_bytes(data: bytes) -> list[bytes]:
    """Distinct words that are not ASCII, in order."""
    return list(dict.fromkeys(re.findall(rb"[^\s,;|\"]*[\x80-\xff][^\s,;|\"]*", data)))[:200]


def _plausibility(page: str, words: Sequence[str]) -> float:
    """How well the characters fit units and names. A page of another alphabet needs its own letters, most of them."""
    characters = [character for word in words for character in word if ord(character) > 127]
    likely = sum(_fits(page, word, place) for word in words for place in range(len(word))) / max(1, len(characters))
    own = sum(character.lower() in _OWN.get(page, ()) for character in characters)
    if page in ("cp1251", "cp1253"):
        whole = [word for word in words if not re.search("[A-Za-z]", word)]
        return likely + 1 if 2 * own > len(characters) and 2 * len(whole) > len(words) else likely - 1
    if page == "cp850":
        degrees = sum(_DEGREES.search(word) is not None for word in words)
        return likely + 1 if degrees and 2 * degrees >= len(words) else likely - 1
    return likely + (0.25 if own and page == "cp1254" else 0)


def _fits(page: str, word: str, place: int) -> float:
    """1 for a letter of the languages of a code page, and for a sign of units that no letter follows."""
    character = word[place]
    if ord(character) < 128:
        return 0
    if character in _SYMBOLS:
        exponent = character in "\u00b2\u00b3"
        return -1 if exponent and word[place + 1 : place + 2].isalpha() else 1
    return character.lower() in _LETTERS.get(page, _WESTERN)
