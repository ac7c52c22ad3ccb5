"""Records with one instant each and a member for each sensor or tag, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eugenie_cli.readings.columns.field_paths import Getter, around, elements_of, getter, instant_getter, optional
from eugenie_cli.readings.columns.long import RawColumns
from eugenie_cli.readings.members import opened
from eugenie_cli.readings.wide_members import errors_path, inner_paths, is_keep_alive

REMEMBERED = 10_000
"""Layouts (an asset and the names in its records) kept in memory: normally about one per asset."""


class WideRows:
    """Splits messages into columns, one row per measurement."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        in_base64 = self._in_base64 = bool(mapping.get("base64"))

        def get(part: Mapping[str, Any]) -> Getter:
            return around(getter(part, in_base64))

        self._ts = instant_getter(mapping.get("ts") or {"path": "ts"}, in_base64)
        self._asset = get(mapping["asset"]) if mapping.get("asset") is not None else None
        self._quality = optional(get(mapping["quality"])) if mapping.get("quality") is not None else None
        value = mapping.get("value") or {"path": "value"}
        self._inner = get(value) if value.get("path") is not None else None
        errors = errors_path(value)
        self._errors = None if errors is None else optional(get({"path": errors}))
        self._inner_paths = inner_paths(mapping)
        parts = (mapping.get("ts") or {"path": "ts"}, mapping.get("asset"), mapping.get("quality"))
        self._paths = [part["path"] for part in parts if part and part.get("path")]
        self._ignored = frozenset(mapping.get("ignore") or ())
        self._elements = elements_of(mapping.get("records"), in_base64)
        self._layouts: dict[Any, tuple[list[Any], list[str] | None]] = {}

    def read(self, index: Sequence[int], messages: Sequence[Any]) -> tuple[RawColumns, list[int]]:
        """Decoded messages and their numbers -> columns, and the numbers of those that the reference must read."""
        columns = RawColumns(np.empty(0, np.int64), [], [], [], [] if self._quality is not None else None)
        message: list[int] = []
        refused: list[int] = []
        for number, decoded in zip(index, messages, strict=True):
            try:
                records, outer = self._elements(decoded)
                rows = [self._row(record, outer) for record in records]
            except (KeyError, TypeError):
                refused.append(number)
                continue
            for identity, ts, values, quality in rows:
                count = len(identity)
                message += [number] * count
                columns.identity.extend(identity)
                columns.ts.extend([ts] * count)
                columns.value.extend(values)
                if columns.quality is not None:
                    columns.quality.extend([quality] * count)
        return columns._replace(message=np.array(message, np.int64)), refused

    def _row(self, record: Any, outer: Any) -> tuple[list[Any], Any, list[Any], Any]:
        asset = self._asset((record, outer)) if self._asset is not None else None
        ts = self._ts((record, outer))
        quality = self._quality((record, outer)) if self._quality is not None else None
        inner = self._measurements(record, outer)
        nested = inner is not record
        key = (asset, nested, *inner)
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layout(asset, inner, nested)
            if len(self._layouts) < REMEMBERED:
                self._layouts[key] = layout
        identity, chosen = layout
        return identity, ts, list(inner.values()) if chosen is None else [inner[name] for name in chosen], quality

    def _measurements(self, record: Any, outer: Any) -> Any:
        """The object with the measurements: the one at the value's path, or the record itself."""
        if self._inner is not None:
            try:
                inner = self._inner((record, outer))
            except KeyError:
                if is_keep_alive(record):
                    raise
                return record
            if type(inner) is not dict:
                inner = opened(inner, self._in_base64)
            if type(inner) is dict:
                if self._errors is not None and self._errors((record, outer)):
                    raise TypeError("the reference reads the tags that the gateway could not read")
                return inner
        if is_keep_alive(record):
            raise TypeError("the reference reads records that only show that the gateway is alive")
        return record

    def _layout(self, asset: Any, inner: dict[str, Any], nested: bool) -> tuple[list[Any], list[str] | None]:
        """Identities of the measurements, and their names; None if every member is a measurement."""
        if self._asset is not None and (type(asset) is not str or not asset.strip(" \t")):
            raise TypeError("the reference reports what is wrong with this asset")
        other = set(self._ignored)
        paths = self._inner_paths if nested else self._paths
        other |= {path if path in inner else path.split(".")[0] for path in paths}
        chosen = [name for name in inner if name not in other]
        if not chosen:
            raise TypeError("the reference decides on a record without measurements")
        identity = [(asset, None, name) for name in chosen]
        if any(not name.strip(" \t") for name in chosen):
            raise TypeError("a measurement without a name")
        return identity, None if len(chosen) == len(inner) else chosen
