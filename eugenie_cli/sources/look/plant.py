"""The machines of a plant, as far as its exports show them: assets, their classes and sensors."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eugenie_cli.sources.look.file_names import NAME
from eugenie_cli.sources.look.names import UNIT

_SEPARATORS = ("/", "\\", ".", ":", "_", "-", " ")
_INSTRUMENT = re.compile(
    r"^(?P<area>.*?)(?P<letters>[A-Za-z]{1,5})(?P<sign>[-_ ]?)(?P<loop>\d{2,6}[A-Za-z]?)(?P<rest>\D.*|)$"
)
_FIT = re.compile(r"[^A-Za-z0-9._-]+")
FEWEST = 2
"""Sensors of an asset: a group of tags with fewer is none."""


@dataclass(frozen=True)
class Member:
    """A sensor of an asset: its `name` in the class, its `tag` in the data, and its `unit` ("" if unknown)."""

    name: str
    tag: str
    unit: str = ""


@dataclass
class Plant:
    """Asset -> its sensors; `named`: whether the data name the assets; `how`: how tags were assigned to them."""

    assets: dict[str, list[Member]] = field(default_factory=dict)
    named: bool = True
    how: str = ""

    def add(self, other: Plant) -> None:
        """Add the assets of another source; what both have is merged."""
        for asset, members in other.assets.items():
            known = self.assets.setdefault(asset, [])
            names = {member.name for member in known}
            known += [member for member in members if member.name not in names]
        self.named = self.named and other.named
        self.how = self.how or other.how

    def classes(self) -> dict[str, tuple[list[Member], list[str]]]:
        """Class -> (its sensors, its assets): assets with the same sensors are of one class."""
        alike: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
        for asset, members in self.assets.items():
            alike[tuple(sorted((member.name, member.unit) for member in members))].append(asset)
        found = {}
        for number, assets in enumerate(alike.values(), 1):
            found["machine" if number == 1 else f"machine-{number}"] = (self.assets[assets[0]], assets)
        return found


def member_of(tag: str, units: Mapping[str, str], column: str = "") -> Member:
    """A sensor named by its tag, without the unit that is part of a column's name."""
    match = UNIT.match(tag)
    if match is not None and not match["unit"].isdigit():
        return Member(match["name"], tag, match["unit"])
    return Member(tag, tag, units.get(column or tag, ""))


def of_tags(members: Sequence[Member], fallback: str) -> Plant:
    """The plant of tags alone: grouped by what their names have in common, or all of them one asset."""
    groups = _by_instrument(members) or _by_prefix(members)
    if groups is not None:
        shown = ", ".join(list(groups)[:4])
        return Plant(groups, named=False, how=f"tags were assigned to assets by their names ({shown})")
    asset = fit(fallback)
    return Plant({asset: list(members)}, named=False, how=f"all tags were assigned to one asset, {asset}")


def _by_prefix(members: Sequence[Member]) -> dict[str, list[Member]] | None:
    """Line1/Pump2/Flow: everything before the last separator is the asset, if several assets have the same sensors."""
    for sign in _SEPARATORS:
        groups: dict[str, dict[str, Member]] = defaultdict(dict)
        for member in members:
            before, found, after = member.name.rpartition(sign)
            if not found or not before or not after:
                break
            groups[before][after] = Member(after, member.tag, member.unit)
        else:
            if (fitting := _fitting(groups)) is not None:
                return fitting
    return None


def _by_instrument(members: Sequence[Member]) -> dict[str, list[Member]] | None:
    """PT-101.PV, IT-101.PV: tags with the same loop number (ISA-5.1) are of one asset."""
    groups: dict[str, dict[str, Member]] = defaultdict(dict)
    for member in members:
        match = _INSTRUMENT.match(member.name)
        if match is None:
            return None
        asset = f"{match['area']}{match['loop']}"
        groups[asset][f"{match['letters']}{match['rest']}"] = Member(
            f"{match['letters']}{match['rest']}", member.tag, member.unit
        )
    return _fitting(groups)


def _fitting(groups: Mapping[str, Mapping[str, Member]]) -> dict[str, list[Member]] | None:
    """The groups, if they look like assets: several, most of them with the same sensors."""
    if len(groups) < 2 or min(map(len, groups.values())) < FEWEST:
        return None
    kinds = {tuple(sorted(group)) for group in groups.values()}
    if len(kinds) > max(1, len(groups) // 2):
        return None
    names = [fit(asset) for asset in groups]
    if len(set(names)) < len(names):
        return None
    return {name: list(group.values()) for name, group in zip(names, groups.values(), strict=True)}


def fit(name: str) -> str:
    """A text as the name of an asset, a source or a site."""
    fitted = _FIT.sub("-", name).strip("-._")[:100]
    return fitted if NAME.match(fitted) else "machine-1"


def unfit(names: Iterable[str]) -> list[str]:
    """The names that no asset of a site file can have."""
    return [name for name in names if not NAME.match(name)]
