"""Qualities that no scheme reads, but that name and codes explain: flags of bad values, percentages, local words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from eugenie_cli.readings.quality import SCHEMES
from eugenie_cli.sources.look.table import Column
from eugenie_cli.sources.records.companions import is_bad_if_true

_PERCENT = re.compile(r"confidence|(?:percent|pct|%).?good|good.?(?:percent|pct|%)|^conf$", re.IGNORECASE)
_NUMBER = re.compile(r"^-?\d{1,3}(?:[.,]\d*)?$")
_GOOD = """
gut gültig i.o. io bon bonne valide bueno buena bien válido valido buono buona correcto iyi geçerli normal dobra
dobry dobre poprawny poprawna goed geldig bra god gyldig хорошее хорошо норма 良好 良 正常
"""
_BAD = """
schlecht ungültig gestört störung fehler n.i.o. nio mauvais mauvaise invalide incorrect malo mala inválido invalido
cattivo cattiva incorrecto kötü geçersiz arıza zła zły złe niepoprawny niepoprawna slecht ongeldig dålig dårlig ugyldig
плохое плохо недостоверно 不良 坏 异常
"""
_UNSURE = "unsicher fraglich incertain douteux incierto dudoso incerto belirsiz şüpheli niepewna niepewny onzeker"
WORDS = dict.fromkeys(_BAD.split(), False) | dict.fromkeys((*_GOOD.split(), *_UNSURE.split()), True)
"""Word of another language -> whether it means good."""


@dataclass(frozen=True)
class Lists:
    """The codes that are `good` and `bad`, as the site file lists them; `why`: what shows it."""

    good: Sequence[str]
    bad: Sequence[str]
    why: str


def lists_of(column: Column) -> Lists | None:
    """The lists of a column's codes, if its name or its words say what they mean."""
    codes = list(column.counts)
    if not codes or column.typed == "object":
        return None
    if is_bad_if_true(column.name) and all(code.lower() in ("0", "1", "true", "false") for code in codes):
        pair = ("false", "true") if any(code.isalpha() for code in codes) else ("0", "1")
        return Lists(pair[:1], pair[1:], f"{pair[1]} means bad, as the name says")
    if _PERCENT.search(column.name) and all(map(_NUMBER.match, codes)):
        numbers = [float(code.replace(",", ".")) for code in codes]
        if min(numbers) >= -1 and 1 < max(numbers) <= 100:
            return Lists(("1..100",), (), "a percentage, of which 0 is bad")
    known = {code: WORDS[code.lower()] for code in codes if code.lower() in WORDS}
    if not known:
        return None
    known |= {code: verdict for code in codes if code not in known and (verdict := _by_words(code)) is not None}
    if sum(column.counts[code] for code in known) < 0.9 * column.filled:
        return None
    good, bad = ([code for code, verdict in known.items() if verdict is wanted] for wanted in (True, False))
    return Lists(good, bad, "words of another language")


def _by_words(code: str) -> bool | None:
    try:
        return SCHEMES["words"](code)
    except ValueError:
        return None
