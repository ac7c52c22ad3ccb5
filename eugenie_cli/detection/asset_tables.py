"""Tables with an entry for each asset, declared by the field that holds them and checked when a detector is created.

    mean: Floats = field(metadata=PER_ASSET)

A detector with a table that is too short would work for some assets and fail only when another asset is scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from dataclasses import Field, fields, is_dataclass
from types import MappingProxyType
from typing import Any

PER_ASSET: Mapping[str, bool] = MappingProxyType({"per_asset": True})
"""Metadata of a dataclass field: the first axis of its table is the assets, in the detector's order."""


def is_per_asset(entry: Field[Any]) -> bool:
    """Whether a dataclass field holds a table of assets."""
    return bool(entry.metadata.get("per_asset"))


def asset_tables(owner: Any) -> Iterator[tuple[str, Sized]]:
    """The tables of a dataclass and of the dataclasses in it, by name: `mean`, `residual.mean`.

    A table that is None is left out.
    """
    for entry in fields(owner):
        value = getattr(owner, entry.name)
        if is_per_asset(entry):
            if value is not None:
                yield entry.name, value
        elif is_dataclass(value):
            for name, table in asset_tables(value):
                yield f"{entry.name}.{name}", table


def check_asset_tables(owner: Any, assets: int) -> None:
    """Raises ValueError that lists every table of `owner` whose number of entries is not `assets`."""
    wrong = [f"{name} has {len(table)}" for name, table in asset_tables(owner) if len(table) != assets]
    if wrong:
        raise ValueError(f"a table must have an entry for each of the {assets} assets: {', '.join(wrong)}")
