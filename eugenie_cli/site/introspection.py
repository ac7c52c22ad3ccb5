"""Reads the schema's own types: which keys a section may have, and which keys hold secrets."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_plugins import usable_source_types
from eugenie_cli.site.source_types import SourceSettings

LOADER_KEYS = frozenset({"base", "file"})
"""Fields of Site that the loader sets, and a file must not."""


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a section may have, as spelled in files."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [name for name in names if model is not Site or name not in LOADER_KEYS]


def known_keys(path: Path, variant: str | None = None) -> list[str]:
    """The keys of the section at `path`: of all its variants, or of the one whose `type` is `variant`.

    Empty where any key is allowed.
    """
    annotations: list[Any] = [Site]
    for part in path:
        annotations = [inner for annotation in annotations for inner in _inside(annotation, part)]
    models = [model for annotation in annotations for model in _models(annotation)]
    chosen = [model for model in models if variant is None or variant in _types_of(model)]
    return list(dict.fromkeys(key for model in chosen for key in keys_of(model)))


def _types_of(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values that a section's `type` may have, if it has such a key."""
    return get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()


def secret_keys(sources: Iterable[type[SourceSettings]] = ()) -> frozenset[str]:
    """Keys whose values are secrets, in any section. `sources`: the settings of the sources in the file."""
    seen: set[type[BaseModel]] = set()
    models: tuple[type[BaseModel], ...] = (Site, *sources)
    return frozenset(key for model in models for key in _secret_keys(model, seen))


def _secret_keys(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        leaves = list(_leaves(field.annotation))
        if SecretStr in leaves:
            yield field.alias or name
        for leaf in leaves:
            if isinstance(leaf, type) and issubclass(leaf, BaseModel):
                yield from _secret_keys(leaf, seen)


def _leaves(annotation: Any) -> Iterator[Any]:
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if get_origin(annotation) is None or not arguments:
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _leaves(arguments[0])
    else:
        for argument in arguments:
            yield from _leaves(argument)


def _options(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without Annotated, Optional and Union; for a source, every source type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _options(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for option in get_args(annotation):
            yield from _options(option)
    elif annotation is SourceSettings:
        yield from (usable.settings for usable in usable_source_types()[0])
    else:
        yield annotation


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            yield option


def _inside(annotation: Any, part: str | int) -> Iterator[Any]:
    for option in _options(annotation):
        origin, arguments = get_origin(option), get_args(option)
        if isinstance(option, type) and issubclass(option, BaseModel):
            for name, field in option.model_fields.items():
                if (field.alias or name) == part:
                    yield field.annotation
        elif origin is dict:
            yield arguments[1]
        elif origin in (list, tuple) and isinstance(part, int):
            yield arguments[0]
