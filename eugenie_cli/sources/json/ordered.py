"""Messages of a file whose local times occur twice: the order of the messages shows which of the two is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.reader import Columns, ReadColumns, compile_columns
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.sources.places import Places
from eugenie_cli.sources.records.row_order import UNCLEAR, RowOrder

_UNCLEAR = Rejected(reject_reasons.BAD_TIMESTAMP, f"the local time occurs twice{UNCLEAR}")


def compile_ordered(mapping: Mapping[str, Any], timezone: str, places: Places, order: RowOrder) -> ReadColumns:
    """As `compile_columns`, for messages in the order of their file: `order` is that of those before."""
    if mapping["ts"].get("ambiguous") != "order":
        return compile_columns(mapping, timezone, places.of)
    first, second = (
        compile_columns({**mapping, "ts": {**mapping["ts"], "ambiguous": pass_}}, timezone, places.of)
        for pass_ in ("first", "second")
    )
    return _Ordered(first, second, places, order, mapping["shape"] == "wide").read


class _Ordered:
    def __init__(self, first: ReadColumns, second: ReadColumns, places: Places, order: RowOrder, wide: bool) -> None:
        self._readers, self._places, self._order, self._wide = (first, second), places, order, wide
        self._assets: dict[str, int] = {}

    def read(self, payloads: Sequence[bytes], members: None = None) -> Columns:
        """Messages, as columns in their order; those whose instant is not shown are rejected."""
        early, late = (reader(payloads, members) for reader in self._readers)
        rows = np.argsort(early.message, kind="stable")
        late_rows = np.argsort(late.message, kind="stable")
        message, place = early.message[rows], early.place[rows]
        ts, known = self._order.resolved(
            self._keys(place), early.ts[rows], late.ts[late_rows], np.ones(len(rows), bool)
        )
        known |= (early.ts[rows] == late.ts[late_rows]) & (place < 0)
        rejected = [(number, _UNCLEAR) for number in np.unique(message[~known]).tolist()]
        ts = np.where(place < 0, early.ts[rows], ts)
        return replace(
            early,
            message=message[known],
            place=place[known],
            ts=ts[known],
            value=early.value[rows][known],
            rejected=[*early.rejected, *rejected],
        )

    def _keys(self, place: np.ndarray) -> np.ndarray:
        """What rows are about: a sensor, or in wide records its asset."""
        if not self._wide:
            return place
        assets = [self._assets.setdefault(asset, len(self._assets)) for asset, _ in self._places.series]
        return np.where(place < 0, -1, np.array([*assets, -1], np.int64)[place])
