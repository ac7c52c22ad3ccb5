"""Names of sensors: what a person would write for a tag, whose path and ending say nothing of the sensor."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eugenie_cli.sources.look.names import UNIT
from eugenie_cli.sources.unit_words import KNOWN_UNITS

_ENDING = re.compile(r"(?<=\w)[._/](?:PV|F_CV|CV|MEASURE|VALUE|VAL)$", re.IGNORECASE)
"""Ends tags whose main value is meant, and says nothing of it."""
_BOUNDARY = re.compile(r"[/\\.:]|(?<=\d)[A-Za-z]?[_ -]")
"""Ends a part that may be left out: of a path, or with the number of a machine (P101_)."""
_UNIT_AT_END = re.compile(r"^(?P<name>.{2,}?)(?:(?P<apart>,\s*|\s+in\s+)|[_\s])(?P<unit>[^\s,_]{1,8})$")
_SHORT_UNITS = 2
_BRACKETS = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Member:
    """A sensor of an asset: its `name` in the class, its `tag` in the data, and its `unit` ("" if unknown)."""

    name: str
    tag: str
    unit: str = ""


def member_of(tag: str, units: Mapping[str, str], column: str = "", label: str = "") -> Member:
    """A sensor named by its tag, or by its `label`, without the unit that is part of a column's name."""
    name = label or tag
    match = UNIT.match(name)
    if match is not None and not match["unit"].isdigit():
        return Member(match["name"], tag, match["unit"])
    unit = units.get(column or tag, "")
    ending = _UNIT_AT_END.match(name)
    if not unit and ending is not None and ending["unit"] in KNOWN_UNITS and len(ending["unit"]) >= _SHORT_UNITS:
        unit = ending["unit"]
        name = ending["name"] if ending["apart"] else name
    return Member(name, tag, unit)


def named(members: Sequence[Member]) -> list[Member]:
    """The sensors of one asset with the names that a person would write; as they are if these were not distinct."""
    start = len(_common(members))
    short = [member.name[start:] for member in members]
    if all(map(_ENDING.search, short)):
        short = [_ENDING.sub("", name) for name in short]
    if any(" " in name for name in short) and not any(char.isdigit() for name in short for char in name):
        short = ["_".join(name.split()).lower() for name in short]
    if len({name.casefold() for name in short}) < len(short) or not all(map(_is_name, short)):
        return list(members)
    return [replace(member, name=name) for member, name in zip(members, short, strict=True)]


def machine_in(members: Sequence[Member]) -> str:
    """What the tags of one machine call it: the last part of the path that all of them have; "" if there is none."""
    parts = [part for part in re.split(r"[/\\.:\[\]]", _common(members)) if part]
    return parts[-1].strip("_- ") if parts else ""


def _common(members: Sequence[Member]) -> str:
    """What all names begin with, up to the end of a part; nothing of what would leave names without letters."""
    names = [member.name for member in members]
    if len(names) < 2 or any(member.name != member.tag and " " in member.name for member in members):
        return ""
    common = os.path.commonprefix(names)  # noqa: RUF071 - of texts, not of paths
    ends = [match.end() for match in _BOUNDARY.finditer(_BRACKETS.sub(lambda m: "x" * len(m[0]), common))]
    for end in reversed(ends):
        if all(_is_name(_ENDING.sub("", name[end:])) for name in names):
            return common[:end]
    return ""


def _is_name(name: str) -> bool:
    return len(name) > 1 and any(map(str.isalpha, name))
