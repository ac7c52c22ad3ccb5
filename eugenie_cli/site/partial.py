"""The valid parts of an invalid site, so that one wrong key does not hide problems elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from eugenie_cli.site.schema import (
    Asset,
    Engines,
    EquipmentClass,
    Exclusion,
    Kafka,
    Serving,
    Site,
    Stream,
    Tracking,
)
from eugenie_cli.site.source_types import SourceSettings
from eugenie_cli.site.source_union import Source

T = TypeVar("T")
# Removing a key may leave its section without a required key, so that the section must be removed in turn.
_ROUNDS = 4


@dataclass(frozen=True)
class Parts:
    """Sections of a site file; None for a section too broken to be checked."""

    name: str
    sources: tuple[SourceSettings | None, ...]
    exclude: tuple[Exclusion | None, ...]
    classes: Mapping[str, EquipmentClass | None]
    assets: Mapping[str, Asset | None]
    kafka: Kafka | None
    serving: Serving | None
    stream: Stream | None
    engines: Engines | None
    tracking: Tracking | None


def parts_of(site: Site | None, data: Mapping[str, Any], context: dict[str, Any]) -> Parts:
    """The parts of a valid site or, if `site` is None, those that can be built from the file's data."""
    if site is not None:
        return Parts(
            site.site,
            site.sources,
            site.exclude,
            site.classes,
            site.assets,
            site.kafka,
            site.serving,
            site.stream,
            site.engines,
            site.tracking,
        )

    def section(model: type[T], value: Any) -> T | None:
        return salvage(model, value, context)

    def listed(model: type[T], key: str) -> tuple[T | None, ...]:
        items = data.get(key)
        return tuple(section(model, item) for item in items) if isinstance(items, list) else ()

    def named(model: type[T], key: str) -> dict[str, T | None]:
        items = data.get(key)
        return {name: section(model, item) for name, item in items.items()} if isinstance(items, dict) else {}

    name = data.get("site")
    return Parts(
        name if isinstance(name, str) else "",
        listed(Source, "sources"), listed(Exclusion, "exclude"),
        named(EquipmentClass, "classes"), named(Asset, "assets"),
        section(Kafka, data.get("kafka", {})), section(Serving, data.get("serving", {})),
        section(Stream, data.get("stream", {})), section(Engines, data.get("engines", {})),
        section(Tracking, data.get("tracking", {})),
    )  # fmt: skip


def salvage(model: type[T], value: Any, context: dict[str, Any]) -> T | None:
    """`value` as a `model`, without the keys at fault if that is invalid; None if that is invalid too."""
    adapter: TypeAdapter[T] = TypeAdapter(model)
    pruned = copy.deepcopy(value)
    for _ in range(_ROUNDS):
        try:
            return adapter.validate_python(pruned, context=context)
        except ValidationError as invalid:
            findings = invalid.errors(include_url=False, include_input=False)
            locations = [error["loc"][:-1] if error["type"] == "missing" else error["loc"] for error in findings]
            removed = [_prune(pruned, location) for location in locations]
            if not any(removed):
                return None
    return None


def _prune(value: Any, location: tuple[str | int, ...]) -> bool:
    """Remove the key that contains the location at fault: a whole list, because indices must stay as in the file."""
    section, owner = value, None
    for part in location:
        if isinstance(section, dict) and part in section:
            owner = (section, part)
        elif not (isinstance(section, list) and isinstance(part, int) and part < len(section)):
            continue  # the name of a variant, or a marker, which the file does not contain
        section = section[part]
    if owner is None:
        return False
    owner[0].pop(owner[1], None)
    return True
