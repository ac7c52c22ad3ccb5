"""Where a wide record has what is not a measurement: its other parts, and the tags that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eugenie_cli.readings.members import paths_of

ERRORS = "errors"
"""The object next to one named `VALUES` in which Neuron names the tags that it could not read."""
VALUES = "values"
DEFAULT = "value"
"""The path of a value if the mapping states none."""
KEEP_ALIVE = "ua-keepalive"
"""OPC UA PubSub's `MessageType` of a message that only shows that its writer is alive (OPC 10000-14, 7.2.5.4)."""


def inner_paths(mapping: Mapping[str, Any]) -> list[str]:
    """Paths of a wide record's other parts that lie in the object of its measurements, relative to that object."""
    around = ((mapping.get("value") or {}).get("path") or DEFAULT) + "."
    paths = [path for name in ("ts", "asset", "quality") for path in paths_of(mapping.get(name))]
    return [path.removeprefix(around) for path in paths if path.startswith(around)]


def errors_path(value: Mapping[str, Any]) -> str | None:
    """The path of the object that names the tags without a value, if the values are at a path that ends in `VALUES`."""
    around, dot, last = (value.get("path") or DEFAULT).rpartition(".")
    return around + dot + ERRORS if last == VALUES else None


def is_keep_alive(record: Mapping[str, Any]) -> bool:
    """Whether a record without measurements only shows that the gateway is alive."""
    return record.get("MessageType") == KEEP_ALIVE
