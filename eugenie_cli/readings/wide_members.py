"""Where a wide record has what is not a measurement: its other parts, and the tags that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ERRORS = "errors"
"""The object next to one named `VALUES` in which Neuron names the tags that it could not read."""
VALUES = "values"


def inner_paths(mapping: Mapping[str, Any]) -> list[str]:
    """Paths of a wide record's other parts that lie in the object of its measurements, relative to that object."""
    around = ((mapping.get("value") or {}).get("path") or "value") + "."
    paths = [(mapping.get(name) or {}).get("path") or "" for name in ("ts", "asset", "quality")]
    return [path.removeprefix(around) for path in paths if path.startswith(around)]


def errors_path(value: Mapping[str, Any]) -> str | None:
    """The path of the object that names the tags without a value, if the values are at a path that ends in `VALUES`."""
    around, dot, last = (value.get("path") or "value").rpartition(".")
    return around + dot + ERRORS if last == VALUES else None
