"""Drops the state of some assets when a job resumes: their rows, clocks, what was learnt, waiting readings. Pure.

For an asset whose clock has gone astray, or whose machine was exchanged. The others keep theirs. A job may resume from
the same state several times, so the state records which reset was the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eugenie_cli.flink_job.late_letters import Letter, canonical_letters
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Columns
from eugenie_cli.flink_job.task_rows import TaskRows
from eugenie_cli.readings import reject_reasons

DETAIL = "the state of its asset was reset before its row was made"

AT, MADE_UNTIL = "at", "made_until"
"""Keys of a shard's record: the last reset (`JobSpec.reset_ms`), and asset -> the last row that must not be made again.
"""


@dataclass(frozen=True)
class Reset:
    """The state of a shard without some assets."""

    snapshot: dict[str, Any]
    """For `TaskRows.restore`."""
    waiting: Columns
    """Readings that wait for their row."""
    record: dict[str, Any]
    letters: tuple[Letter, ...]
    """About the readings of the assets that waited for their row."""


def due(routes: SensorIndex, shard: int, record: Mapping[str, Any]) -> tuple[str, ...]:
    """The assets of a shard that are to be reset now. `record`: `Reset.record` of its state, or empty."""
    spec = routes.spec
    if spec.reset_ms <= record.get(AT, 0):
        return ()
    own = {asset for of_class in routes.classes for asset in of_class.assets[shard]}
    return tuple(asset for asset in spec.reset_assets if asset in own)


def reset(routes: SensorIndex, shard: int, former: TaskRows, assets: Sequence[str], record: Mapping[str, Any]) -> Reset:
    """The state of a shard without `assets`. `former`: its rows as they were left.

    Rows up to the last one made are not made again, unless that one is in the future: then the clock of the asset was
    ahead, and rows continue at the instant of the reset.
    """
    at = routes.spec.reset_ms
    snapshot, made = former.state(shard), dict(record.get(MADE_UNTIL, {}))
    for rows in snapshot.values():
        edges = dict(zip(rows["assets"], rows["edges"].tolist(), strict=True))
        made.update({asset: min(edges[asset], at) for asset in assets if asset in edges})
        rows["assets"] = [None if asset in assets else asset for asset in rows["assets"]]
    place, ts, value = former.pending(shard)
    dropped = np.array([routes.name_of(number)[0] in assets for number in place.tolist()], bool)
    letters = canonical_letters(routes, (place[dropped], ts[dropped], value[dropped]), reject_reasons.RESET, DETAIL)
    kept = place[~dropped], ts[~dropped], value[~dropped]
    return Reset(snapshot, kept, {AT: at, MADE_UNTIL: made}, tuple(letters))
