"""Dead letters about single readings, as late ones: the readings in the canonical form, together as far as possible.

The message itself is no longer known where lateness shows, but its partition and offset are. The canonical form lets an
import take the readings into history, whatever the mapping of the site file was.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Columns, Readings
from eugenie_cli.readings import reject_reasons

MOST = 200
"""Readings in a letter: as many as fit the limit of a payload, with long names."""

Letter = tuple[str, bytes]
"""(reason, dead letter)."""


def late_letters(routes: SensorIndex, late: Readings, complete: NDArray[np.int64]) -> list[Letter]:
    """Letters about N late readings. `complete`: [N], the instants up to which the rows of their assets are complete.

    The payload is a canonical reading (`asset`, `sensor`, `ts`, `value`), or an array of those of the same message and
    asset, up to MOST; then the letter has a `count`.
    """
    letters = []
    owner = routes.owner[late.place]
    order = np.lexsort((owner, late.offset, late.partition))
    late, complete, owner = late.only(order), complete[order], owner[order]
    place_in_message = np.arange(len(order))
    is_first = np.zeros(len(order), bool)
    for column in (late.partition, late.offset, owner):
        is_first |= np.diff(column, prepend=-1) != 0
    place_in_message -= np.maximum.accumulate(np.where(is_first, place_in_message, 0))
    is_first |= place_in_message % MOST == 0  # a longer payload would be cut, and could not be imported
    starts = np.flatnonzero(is_first).tolist()
    for begin, end in zip(starts, [*starts[1:], len(order)], strict=True):
        readings = [
            _canonical(routes, *reading)
            for reading in zip(*(column[begin:end].tolist() for column in late.columns), strict=True)
        ]
        payload = readings[0] if len(readings) == 1 else readings
        detail = f"the rows of {readings[0]['asset']} are complete up to {iso(int(complete[begin]))}"
        letter = dead_letter(
            reject_reasons.LATE,
            detail,
            json.dumps(payload, ensure_ascii=False),
            routes.spec.kafka.readings,
            int(late.partition[begin]),
            int(late.offset[begin]),
        )
        letters.append(
            (reject_reasons.LATE, dumps(letter if len(readings) == 1 else {**letter, "count": len(readings)}))
        )
    return letters


def canonical_letters(routes: SensorIndex, readings: Columns, reason: str, detail: str) -> list[Letter]:
    """Letters about N readings whose messages are no longer known: those of an asset together, up to MOST."""
    place, ts, value = readings
    owner = routes.owner[place]
    order = np.lexsort((ts, owner))
    letters = []
    for first in np.unique(owner).tolist():
        own = order[owner[order] == first]
        for begin in range(0, len(own), MOST):
            part = own[begin : begin + MOST]
            payload = [
                _canonical(routes, *reading)
                for reading in zip(place[part].tolist(), ts[part].tolist(), value[part].tolist(), strict=True)
            ]
            text = json.dumps(payload if len(payload) > 1 else payload[0], ensure_ascii=False)
            letter = dead_letter(reason, detail, text, routes.spec.kafka.readings)
            letters.append((reason, dumps(letter if len(payload) == 1 else {**letter, "count": len(payload)})))
    return letters


def _canonical(routes: SensorIndex, place: int, ts: int, value: float) -> dict[str, Any]:
    asset, sensor = routes.name_of(place)
    return {"asset": asset, "sensor": sensor, "ts": iso(ts), "value": value if value == value else None}
