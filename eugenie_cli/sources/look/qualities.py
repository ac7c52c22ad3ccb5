"""The part `quality` of a mapping: which scheme the codes of a column are in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from eugenie_cli.printable import printable
from eugenie_cli.readings.code_lists import integer
from eugenie_cli.readings.quality import SCHEMES
from eugenie_cli.readings.values import STATUS_TEXTS
from eugenie_cli.sources.look.cells import NUMBER
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.names import QUALITY, TAG_MORE
from eugenie_cli.sources.look.quality_lists import Lists, lists_of
from eugenie_cli.sources.look.table import Column
from eugenie_cli.sources.records.companions import is_bad_if_true, is_row_quality

ORDER = ("opcda", "opcua", "ignition", "boolean", "factorytalk", "words", "wonderware")
"""Schemes, the most specific first."""
READS = 0.6
"""Share of the rows whose code a scheme must read: loggers write other marks into the column."""
MOST_CODES, FEW_CODES = 60, 8
_NAMES = re.compile(
    r"quality|quali|status|(?:^|[\W_])(?:q|qc|qual|stat|flags?|good|isgood|valid|validity|integrity)(?:$|[\W_])|validity|"
    r"confidence|percent.?good|güte|dataintegrity|kalite|durum|zustand|calidad|qualit",
    re.IGNORECASE,
)
_TRUE_IS_GOOD = re.compile(r"good|valid", re.IGNORECASE)
_OF_FACTORYTALK = frozenset({"marker", "millitm"})
_BEST = re.compile(r"opc", re.IGNORECASE)


def named_like_quality(name: str) -> bool:
    """Whether a column's name says that it is a quality."""
    return is_row_quality(name) or is_bad_if_true(name) or _NAMES.search(name) is not None


def is_quality(column: Column) -> bool:
    """Whether a column may be the quality of its rows: named so, with few codes."""
    if lists_of(column) is not None and (named_like_quality(column.name) or is_bad_if_true(column.name)):
        return True
    if not named_like_quality(column.name) or not column.counts or len(column.counts) > MOST_CODES:
        return False
    if column.typed == "object":
        return False
    codes, rows = column.counts, sum(column.counts.values())
    known = any(sum(codes[code] for code in _verdicts(scheme, codes)) >= READS * rows for scheme in ORDER)
    return known or (QUALITY.search(column.name) is not None and len(codes) < FEW_CODES)


def may_be_quality(column: Column) -> bool:
    """Whether a column may say which readings are good although its name does not: it has several codes, but few."""
    if column.typed == "object" or TAG_MORE.search(column.name):
        return False
    return 1 < len(column.counts) < FEW_CODES


def quality_of_rows(columns: Sequence[Column]) -> Column | None:
    """The column with the quality of the rows: the one that says most, OPC's code rather than a summary."""
    found = [column for column in columns if is_quality(column)]

    def rank(column: Column) -> tuple[bool, bool, int]:
        return bool(_BEST.search(column.name)), not is_bad_if_true(column.name), -found.index(column)

    return max(found, key=rank, default=None)


def quality_settings(column: Column, values: Sequence[str], others: Sequence[str], notes: Notes) -> dict[str, Any]:
    """`scheme`, or lists of codes, of a column. `values`: the texts of the values of its rows, if they belong to one;
    `others`: names of the table's columns.
    """
    codes = dict(column.counts)
    if (lists := lists_of(column)) is not None:
        return _as_listed(column, lists, notes)
    verdicts = {scheme: _verdicts(scheme, codes) for scheme in ORDER}
    total = sum(codes.values())
    reading = [s for s in ORDER if sum(codes[code] for code in verdicts[s]) >= READS * total]
    most = max((sum(codes[code] for code in verdicts[s]) for s in reading), default=0)
    reading = [s for s in reading if sum(codes[code] for code in verdicts[s]) == most]
    shown = ", ".join(printable(code, 20) for code in list(codes)[:6])
    if not reading:
        return _by_lists(column, notes)
    preference = _preference(column, codes, others)
    chosen = next((s for s in preference if s in reading), reading[0])
    good = sum(codes[code] for code, is_good in verdicts[chosen].items() if is_good)
    if not good and len(codes) > 1 and any(map(NUMBER.match, values)):
        return _by_lists(column, notes)  # values beside codes that would all be bad
    notes.find("quality", f"{column.name}, scheme {chosen}", f"codes {shown}")
    rivals = [s for s in reading if verdicts[s] != verdicts[chosen] and any(verdicts[s].values())]
    known_bad = _bad_by_value(column, values)
    contradicted = [code for code in known_bad if verdicts[chosen].get(code) and not _mixed(column, values, code)]
    sure = _is_sure(chosen, column, codes, others)
    if (rivals and not sure) or contradicted:
        says = ", ".join(f"{code} is {'good' if good else 'bad'}" for code, good in list(verdicts[chosen].items())[:6])
        instead = f"other schemes that read the codes otherwise: {', '.join(rivals)}" if rivals else ""
        notes.check("quality", f"in {column.name}, by scheme {chosen}, {says}", instead)
    elif verdicts[chosen] and not any(verdicts[chosen].values()) and column.filled == len(column.cells):
        notes.check("quality", f"by scheme {chosen}, every code of {column.name} ({shown}) is bad")
    if unread := [code for code in codes if code not in verdicts[chosen]]:
        listed = ", ".join(printable(code, 20) for code in unread[:6])
        notes.check(
            "quality",
            f"scheme {chosen} does not know {listed} in {column.name}: their rows are rejected",
            "list the codes instead of `scheme`: `good: [...]`, `bad: [...]`",
        )
    return {"scheme": chosen} if chosen != "words" else {}


def _verdicts(scheme: str, codes: Mapping[str, int] | Sequence[str]) -> dict[str, bool]:
    found = {}
    for code in codes:
        try:
            found[code] = SCHEMES[scheme](code)
        except ValueError:
            continue
    return found


def _preference(column: Column, codes: Mapping[str, int], others: Sequence[str]) -> list[str]:
    """The schemes, the most likely first, by the codes and the names of columns."""
    numbers = {number for code in codes if (number := integer(code)) is not None}
    names = {name.lower() for name in others}
    first: list[str] = []
    if column.typed == "bool" or {code.lower() for code in codes} <= {"true", "false"}:
        first.append("boolean")
    if _OF_FACTORYTALK & names:
        first.append("factorytalk")
    if numbers:
        name = column.name.lower()
        if any(number > 0xFFFF or number < 0 for number in numbers):
            first.append("opcua")
        if name in ("quality", "qualitydetail") and ("qualitydetail" in names or 133 in numbers):
            first.append("wonderware")
        if numbers & {192, 216, 219, 64, 24, 28}:
            first.append("opcda")
        if _TRUE_IS_GOOD.search(name) and numbers <= {0, 1, 2}:
            first.append("boolean")
        if "statuscode" in name.replace("_", ""):
            first.append("opcua")
        if numbers <= {0, 1}:
            first.append("boolean")
        if "opc" in name:
            first.append("opcda")
    else:
        first.append("words" if not any("0x" in code.lower() for code in codes) else "opcua")
    return list(dict.fromkeys((*first, *ORDER)))


def _is_sure(chosen: str, column: Column, codes: Mapping[str, int], others: Sequence[str]) -> bool:
    """Whether the codes themselves show the scheme."""
    numbers = {number for code in codes if (number := integer(code)) is not None}
    if chosen == "opcda":
        return bool(numbers & {192, 216, 219})
    if chosen == "boolean":
        return not numbers or bool(_TRUE_IS_GOOD.search(column.name))
    if chosen == "opcua":
        return any(number > 0xFFFF or number < 0 for number in numbers) or not numbers
    if chosen == "factorytalk":
        return bool(_OF_FACTORYTALK & {name.lower() for name in others})
    if chosen == "words":
        return all(len(code) > 1 for code in codes)
    return chosen == "wonderware" and 133 in numbers


def _bad_by_value(column: Column, values: Sequence[str]) -> set[str]:
    """The codes beside which a value is missing or a status text."""
    pairs = zip(column.cells, values, strict=True) if values else ()
    return {code for code, value in pairs if code and (not value or value.lower() in STATUS_TEXTS)}


def _mixed(column: Column, values: Sequence[str], code: str) -> bool:
    """Whether there are values beside a code, too."""
    return any(c == code and v and v.lower() not in STATUS_TEXTS for c, v in zip(column.cells, values, strict=True))


def _as_listed(column: Column, lists: Lists, notes: Notes) -> dict[str, Any]:
    """The lists of codes that name or words explain."""
    written = {key: list(codes) for key, codes in (("good", lists.good), ("bad", lists.bad)) if codes}
    said = "; ".join(f"{key}: {', '.join(printable(code, 20) for code in codes)}" for key, codes in written.items())
    notes.find("quality", f"{column.name}, {said}", lists.why)
    notes.check("quality", f"in {column.name}, {said}: {lists.why}", "correct the lists")
    return written


def _by_lists(column: Column, notes: Notes) -> dict[str, Any]:
    """The most frequent code is good, all others are bad: no scheme knows them."""
    good = column.counts.most_common(1)[0][0]
    others = ", ".join(printable(code, 20) for code in column.counts if code != good)
    notes.find("quality", f"{column.name}, codes of its own", ", ".join(printable(c, 20) for c in column.counts))
    notes.check(
        "quality",
        f"no scheme knows the codes of {column.name}; {good}, the most frequent one, was taken for good",
        f"all others are bad ({others}): correct the list `good`" if others else "correct the list `good`",
    )
    return {"good": [good]}
