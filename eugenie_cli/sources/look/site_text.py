"""Proposals as the text of a site file, with comments that say what to check."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from eugenie_cli.printable import printable
from eugenie_cli.site.field_types import show_duration
from eugenie_cli.sources.look.findings import Check
from eugenie_cli.sources.look.plant import Plant
from eugenie_cli.sources.look.sensor_names import Member

WIDTH = 116
SHOWN_FILES = 4
_HEADING = "# -- "
Entry = tuple[Mapping[str, Any], Sequence[Check], Sequence[str]]
"""(the entry, what to check of it, the names of its files)."""


@dataclass(frozen=True)
class SiteText:
    """The parts of a site file. `steps`: class -> (step, max_gap) in ms."""

    entries: Sequence[Entry]
    plant: Plant
    timezone: str
    steps: Mapping[str, tuple[int, int]]

    def sources(self) -> str:
        """The section `sources`."""
        return self._sources(self.entries)

    @staticmethod
    def _sources(entries: Sequence[Entry]) -> str:
        return "\n".join(["sources:", *(line for entry in entries for line in _entry(*entry))]) + "\n"

    def whole(self, name: str) -> str:
        """A site file with nothing but what was found."""
        return f"site: {name}\ntimezone: {self.timezone}\n{self.sources()}{self._plant()}"

    def from_template(self, name: str, template: str, template_name: str) -> str:
        """A commented site file: the template's, with its example of a source and a plant replaced."""
        head, *sections = template.replace(template_name, name).split(f"\n{_HEADING}")
        kept = [f"{_HEADING}{section}" for section in sections]
        lines = head.split("\n")
        moved = [
            set(checks) - set(kept)
            for (_, checks, _), (_, kept, _) in zip(self.entries, self._without_zones(), strict=True)
        ]
        checks = [check for found in moved for check in found]
        at = next(number for number, line in enumerate(lines) if line.startswith("timezone:"))
        lines[at : at + 1] = [
            *(line for check in _unique(checks) for line in _comment(check.words, "")),
            _zone(lines[at], self.timezone),
        ]
        rest = [section for section in kept if not section.startswith((f"{_HEADING}history", f"{_HEADING}the plant"))]
        history = next(section for section in kept if section.startswith(f"{_HEADING}history")).split("\n")
        plant = next(section for section in kept if section.startswith(f"{_HEADING}the plant")).split("\n")
        excluded = [line for line in history if line.startswith(("# Periods", "# exclude", "#   -"))]
        parts = [
            "\n".join(lines).rstrip("\n"),
            "\n".join([history[0], self._sources(self._without_zones()).rstrip("\n"), "", *excluded]),
            "\n".join([plant[0], self._plant().rstrip("\n")]),
            *(section.rstrip("\n") for section in rest),
        ]
        return "\n\n".join(parts) + "\n"

    def _without_zones(self) -> list[Entry]:
        """The entries without the checks of `timezone`, which are at that key; but for zones of their own."""
        return [
            (entry, [c for c in checks if c.key != "timezone" or "timezone" in entry["readings"].get("ts", {})], files)
            for entry, checks, files in self.entries
        ]

    def _plant(self) -> str:
        lines = []
        if not self.plant.named:
            question = f"the data do not say which tags belong to which machine; {self.plant.how}"
            lines += _comment(question + "; name classes, assets and sensors as the plant does", "")
        lines.append("classes:")
        assets: list[str] = []
        for name, (members, of_class) in self.plant.classes().items():
            lines += [f"  {name}:", "    sensors:"]
            lines += [f"      - {_flow(_sensor(member))}" for member in members]
            lines += self._grid(name)
            assets += [line for asset in of_class for line in _asset(asset, name, self.plant.assets[asset])]
        return "\n".join([*lines, "", "assets:", *assets]) + "\n"

    def _grid(self, name: str) -> list[str]:
        if name not in self.steps:
            return [
                *_comment("too few readings to see how often they come: set `step` and `max_gap`", "    "),
                "    step: 1s",
                "    max_gap: 5s",
            ]
        step, gap = map(show_duration, self.steps[name])
        return [
            f"    step: {step}".ljust(34) + "# the median of the intervals between readings",
            f"    max_gap: {gap}".ljust(34) + "# an older value is missing; long enough for nearly all intervals",
        ]


def _entry(entry: Mapping[str, Any], checks: Sequence[Check], files: Sequence[str]) -> list[str]:
    """The lines of one source, with a comment above each setting that is to be checked."""
    of: dict[str, list[Check]] = {}
    for check in checks:
        of.setdefault(check.key, []).append(check)
    more = f" and {len(files) - SHOWN_FILES} more" if len(files) > SHOWN_FILES else ""
    lines = [f"  # proposed from {printable(', '.join(files[:SHOWN_FILES]), 90)}{more}"]
    indent = "  - "
    placed = set()
    for key, value in entry.items():
        if key == "readings":
            lines += [f"    {key}:"] if value else [f"    {key}: {{}}"]
            if "ts" not in value:  # of InfluxDB and of groups of columns
                of.setdefault("readings", [])
            for part, setting in _ordered(value).items():
                keys = (part, "timezone") if part == "ts" else (part,)
                placed |= set(keys)
                lines += [
                    line for name in keys for check in of.get(name, ()) for line in _comment(check.words, "      ")
                ]
                lines.append(f"      {part}: {_flow(setting)}")
            continue
        placed.add(key)
        lines += [line for check in of.get(key, ()) for line in _comment(check.words, "    ")]
        lines.append(f"{indent}{key}: {_flow(value)}")
        indent = "    "
    left = [check for key, found in of.items() if key not in placed for check in found]
    return [lines[0], *(line for check in left for line in _comment(check.words, "  ")), *lines[1:]]


def _ordered(readings: Mapping[str, Any]) -> dict[str, Any]:
    order = ("shape", "records", "ts", "asset", "sensor", "tag", "value", "quality", "columns", "case", "ignore")
    return {key: readings[key] for key in order if key in readings}


def _sensor(member: Member) -> dict[str, str]:
    return {"name": member.name, "unit": member.unit} if member.unit else {"name": member.name}


def _asset(name: str, class_name: str, members: Sequence[Member]) -> list[str]:
    tags = {member.name: member.tag for member in members if member.tag != member.name}
    lines = [f"  {_flow(name)}:", f"    class: {class_name}"]
    if tags:
        lines.append("    tags:                         # sensor: the column or tag in the data")
        lines += [f"      {_flow(sensor)}: {_flow(tag)}" for sensor, tag in tags.items()]
    return lines


def _zone(line: str, timezone: str) -> str:
    """The template's line with the zone found."""
    _, sign, comment = line.partition("#")
    return f"timezone: {timezone}".ljust(34) + sign + comment


def _comment(text: str, indent: str) -> list[str]:
    """A remark to check, on lines of bounded length."""
    wrapped = textwrap.wrap(printable(f"check: {text}"), WIDTH - len(indent) - 2, break_long_words=False)
    return [f"{indent}# {line}" if number == 0 else f"{indent}#   {line}" for number, line in enumerate(wrapped)]


def _unique(checks: Sequence[Check]) -> list[Check]:
    return list(dict.fromkeys(checks))


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text: str = yaml.safe_dump(
        _escaped(value), default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _escaped(value: Any) -> Any:
    """Texts with `${` as the site file has it, where that is a reference."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {_escaped(key) if key != key else key: _escaped(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(item) for item in value]
    return value
