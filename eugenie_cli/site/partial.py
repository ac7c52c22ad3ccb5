"""A site in parts, as far as each is valid: so that one wrong key does not hide what is wrong elsewhere."""

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
# A key that is taken out may leave its section without something required, and that one its own.
_ROUNDS = 4


@dataclass(frozen=True)
class Parts:
    """Sections of a site file; None where a section is too broken to be looked at."""

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
    """The parts of a valid site, or, where `site` is None, whatever can be made of the file's data."""
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

    def one(model: type[T], value: Any) -> T | None:
        return salvage(model, value, context)

    def many(model: type[T], key: str) -> tuple[T | None, ...]:
        items = data.get(key)
        return tuple(one(model, item) for item in items) if isinstance(items, list) else ()

    def named(model: type[T], key: str) -> dict[str, T | None]:
        items = data.get(key)
        return {name: one(model, item) for name, item in items.items()} if isinstance(items, dict) else {}

    name = data.get("site")
    return Parts(
        name if isinstance(name, str) else "",
        many(Source, "sources"), many(Exclusion, "exclude"),
        named(EquipmentClass, "classes"), named(Asset, "assets"),
        one(Kafka, data.get("kafka", {})), one(Serving, data.get("serving", {})),
        one(Stream, data.get("stream", {})), one(Engines, data.get("engines", {})),
        one(Tracking, data.get("tracking", {})),
    )  # fmt: skip


def salvage(model: type[T], value: Any, context: dict[str, Any]) -> T | None:
    """`value` as a `model`; where that fails, without the keys at fault; None where that fails too."""
    adapter: TypeAdapter[T] = TypeAdapter(model)
    pruned = copy.deepcopy(value)
    for _ in range(_ROUNDS):
        try:
            return adapter.validate_python(pruned, context=context)
        except ValidationError as error:
            findings = error.errors(include_url=False, include_input=False)
            places = [one["loc"][:-1] if one["type"] == "missing" else one["loc"] for one in findings]
            removed = [_prune(pruned, place) for place in places]
            if not any(removed):
                return None
    return None


def _prune(value: Any, location: tuple[str | int, ...]) -> bool:
    """Take out the key that holds the place at fault; of a list all of it: indices count as in the file."""
    section, owner = value, None
    for part in location:
        if isinstance(section, dict) and part in section:
            owner = (section, part)
        elif not (isinstance(section, list) and isinstance(part, int) and part < len(section)):
            continue  # the name of a variant, or a marker: not of the file
        section = section[part]
    if owner is None:
        return False
    owner[0].pop(owner[1], None)
    return True
