"""A site in parts, as far as each is valid: so that one wrong key does not hide what is wrong elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from eugenie_cli.site.model import (
    Asset,
    Engines,
    EquipmentClass,
    Exclusion,
    Kafka,
    Serving,
    Site,
    Source,
    Stream,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """Sections of a site file; None where a section is too broken to be looked at."""

    name: str
    sources: tuple[Any, ...]
    exclude: tuple[Exclusion | None, ...]
    classes: Mapping[str, EquipmentClass | None]
    assets: Mapping[str, Asset | None]
    kafka: Kafka | None
    serving: Serving | None
    stream: Stream | None
    engines: Engines | None


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
    )  # fmt: skip


def salvage(model: type[T], value: Any, context: dict[str, Any]) -> T | None:
    """`value` as a `model`; where that fails, without the keys at fault; None where that fails too."""
    adapter = TypeAdapter(model)
    try:
        return adapter.validate_python(value, context=context)
    except ValidationError as error:
        pruned = copy.deepcopy(value)
        for finding in error.errors(include_url=False, include_input=False):
            if finding["type"] == "missing" or not _prune(pruned, finding["loc"]):
                return None
    try:
        return adapter.validate_python(pruned, context=context)
    except ValidationError:
        return None


def _prune(value: Any, location: tuple[str | int, ...]) -> bool:
    """Take the key at fault out of its section. Items of lists stay: indices count as in the file."""
    section = value
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if isinstance(section, dict) and part in section:
            if is_last or not isinstance(section[part], (dict, list)):
                del section[part]
                return True
            section = section[part]
        elif isinstance(section, list) and isinstance(part, int) and part < len(section):
            if not isinstance(section[part], (dict, list)):
                return False
            section = section[part]
    return False
