"""The machines of a plant, as far as its exports show them: assets, their classes and sensors."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eugenie_cli.sources.look.file_names import NAME
from eugenie_cli.sources.look.sensor_names import Member, machine_in, named

_SEPARATORS = ("/", "\\", ".", ":", "_", "-", " ")
_INSTRUMENT = re.compile(
    r"^(?P<area>.*?)(?P<letters>[A-Za-z]{1,5})(?P<sign>[-_ ]?)(?P<loop>\d{2,6}[A-Za-z]?)(?P<rest>\D.*|)$"
)
_FIT = re.compile(r"[^A-Za-z0-9._-]+")
_OF_LOOPS = frozenset(
    ["pv", "sp", "op", "mv", "cv", "out", "in", "value", "val", "mode", "auto", "status", "q", "quality"]
)
"""What a controller has: its loop is no machine."""
FEWEST = 2
"""Sensors of an asset: a group of tags with fewer is none."""


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


def of_tags(members: Sequence[Member], fallback: str) -> Plant:
    """The plant of tags alone: grouped by what their names have in common, or all of them one asset."""
    groups = _by_instrument(members) or _by_prefix(members)
    if groups is not None:
        shown = ", ".join(list(groups)[:4])
        return Plant(groups, named=False, how=f"tags were assigned to assets by their names ({shown})")
    asset = fit(machine_in(members) or fallback)
    return Plant({asset: named(members)}, named=False, how=f"all tags were assigned to one asset, {asset}")


def _by_prefix(members: Sequence[Member]) -> dict[str, list[Member]] | None:
    """Line1/Pump2/Flow: the first parts are the asset, as many as give several assets with the same sensors."""
    for sign in _SEPARATORS:
        parts = [member.name.split(sign) for member in members]
        for depth in range(min(map(len, parts)) - 1, 0, -1):
            groups: dict[str, dict[str, Member]] = defaultdict(dict)
            for member, path in zip(members, parts, strict=True):
                after = sign.join(path[depth:])
                groups[sign.join(path[:depth])][after] = replace(member, name=after)
            if all(groups) and all(all(group) for group in groups.values()) and (fitting := _fitting(groups)):
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
        sensor = f"{match['letters']}{match['rest']}"
        groups[asset][sensor] = replace(member, name=sensor)
    return _fitting(groups)


def _fitting(groups: Mapping[str, Mapping[str, Member]]) -> dict[str, list[Member]] | None:
    """The groups, if they look like assets: several, most of them with the same sensors."""
    if len(groups) < 2 or min(map(len, groups.values())) < FEWEST:
        return None
    if all(sensor.lower() in _OF_LOOPS for group in groups.values() for sensor in group):
        return None  # FIC101.PV and FIC101.SP: controllers
    kinds = {tuple(sorted(group)) for group in groups.values()}
    if len(kinds) > max(1, (2 * len(groups)) // 3):
        return None
    names = [fit(asset) for asset in groups]
    if len(set(names)) < len(names):
        return None
    return {name: named(list(group.values())) for name, group in zip(names, groups.values(), strict=True)}


def fit(name: str) -> str:
    """A text as the name of an asset, a source or a site."""
    fitted = _FIT.sub("-", name).strip("-._")[:100]
    return fitted if NAME.match(fitted) else "machine-1"


def unfit(names: Iterable[str]) -> list[str]:
    """The names that no asset of a site file can have."""
    return [name for name in names if not NAME.match(name)]
