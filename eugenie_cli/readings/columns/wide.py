"""Records with one instant each and a member for each sensor or tag, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eugenie_cli.readings.columns.field_paths import around, elements_of, getter, optional
from eugenie_cli.readings.columns.long import RawColumns

REMEMBERED = 10_000
"""Layouts (an asset and the names in its records) kept in memory: normally about one per asset."""


class WideRows:
    """Splits messages into columns, one row per measurement."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self._ts = around(getter(mapping.get("ts") or {"path": "ts"}))
        self._asset = around(getter(mapping["asset"])) if mapping.get("asset") is not None else None
        self._quality = optional(around(getter(mapping["quality"]))) if mapping.get("quality") is not None else None
        value = mapping.get("value") or {"path": "value"}
        self._inner = around(getter(value)) if value.get("path") is not None else None
        parts = (mapping.get("ts") or {"path": "ts"}, mapping.get("asset"), mapping.get("quality"))
        self._paths = [part["path"] for part in parts if part and part.get("path")]
        self._ignored = frozenset(mapping.get("ignore") or ())
        self._elements = elements_of(mapping.get("records"))
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
                return record
            if type(inner) is dict:
                return inner
        return record

    def _layout(self, asset: Any, inner: dict[str, Any], nested: bool) -> tuple[list[Any], list[str] | None]:
        """Identities of the measurements, and their names; None if every member is a measurement."""
        if self._asset is not None and (type(asset) is not str or not asset.strip(" \t")):
            raise TypeError("the reference reports what is wrong with this asset")
        other = set(self._ignored)
        if not nested:
            other |= {path if path in inner else path.split(".")[0] for path in self._paths}
        chosen = [name for name in inner if name not in other]
        if not chosen:
            raise TypeError("the reference decides on a record without measurements")
        identity = [(asset, None, name) for name in chosen]
        if any(not name.strip(" \t") for name in chosen):
            raise TypeError("a measurement without a name")
        return identity, None if len(chosen) == len(inner) else chosen
