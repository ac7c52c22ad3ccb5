"""A mapping of messages as plain data, with its passwords: for whoever reads messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.schema_registry import PROTOBUF
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.secrets import reveal
from eugenie_cli.site.units import UnitProblem, conversions_of


def message_mapping(readings: ReadingsMapping, timezone: str, resolve: Callable[[str], Path]) -> dict[str, Any]:
    """`resolve`: makes a path of the site file absolute. Raises ValueError, beginning with the key, for a mapping with
    which messages cannot be read.
    """
    mapping = readings.model_dump(mode="json")
    registry = readings.registry
    if registry is not None:
        password = None if registry.password is None else reveal(registry.password)
        ca = None if registry.ca is None else str(resolve(registry.ca))
        mapping["registry"] = {"url": registry.url, "username": registry.username, "password": password, "ca": ca}
        if readings.format == "protobuf":
            mapping["registry"]["kind"] = PROTOBUF
    if readings.format == "csv":
        raise ValueError("format: messages are json, influx, avro or protobuf, not csv")
    if readings.value.units:
        try:
            mapping["value"]["conversions"] = conversions_of(mapping["value"])
        except UnitProblem as problem:
            raise ValueError(f"value.units: {problem}") from None
    compile_columns(mapping, timezone, lambda *_: None, lambda _: ())
    return mapping
