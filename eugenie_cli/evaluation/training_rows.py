"""The rows used to train a model version, on which its quality cannot be judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eugenie_cli.detection.arrays import Bools, Ints
from eugenie_cli.detection.metrics.alarm_load import Span, union
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.store import History
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.schema import Fleet
from eugenie_cli.training.registry import Registry

MOST_ANCESTORS = 50
"""Versions in a chain of warm starts that are followed back."""


@dataclass(frozen=True)
class TrainingRows:
    """Training, validation and calibration rows of a version and of the versions that it was warm-started from."""

    spans: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    """asset -> [first, last] edges, both included, ms since 1970 UTC."""
    unknown: str = ""
    """Why the rows are not fully known; empty if they are."""

    def among(self, asset: str, edges: Ints) -> Bools:
        """bool [T]: edges of rows used to train the version, as far as known."""
        learnt = np.zeros(len(edges), bool)
        for start, end in self.spans.get(asset, ()):
            learnt[np.searchsorted(edges, start) : np.searchsorted(edges, end, side="right")] = True
        return learnt


@dataclass(frozen=True)
class TrainingRowCount:
    """How many of the judged rows were used to train a version; a lower bound if `unknown` gives a reason."""

    rows: int
    unknown: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "unknown": self.unknown or None}


def learnt_by(registry: Registry, class_name: str, version: int | str) -> TrainingRows:
    """The rows used to train a registered version. Never raises for an unreadable record: `unknown` says why."""
    from eugenie_cli.training import run_record
    from eugenie_cli.training.store_client import first_line
    from eugenie_cli.training.warm_start import RUN_TAG

    spans: dict[str, list[Span]] = {}
    try:
        # on the command line, both numbers and aliases are text
        number_or_alias = int(version) if str(version).isdecimal() else version
        run_id = registry.resolve(class_name, number_or_alias).run_id
        for _ in range(MOST_ANCESTORS):
            recorded = run_record.learnt_by(registry.client, run_id)
            if recorded is None:
                return TrainingRows(
                    spans,
                    f"run {run_id} does not record its training rows, because an older eugenie made it",
                )
            for asset, spans_of_run in recorded.items():
                spans.setdefault(asset, []).extend(spans_of_run)
            run_id = registry.client.get_run(run_id).data.tags.get(RUN_TAG, "")
            if not run_id:
                return TrainingRows(spans)
    except (EugenieError, OSError) as problem:
        return TrainingRows(spans, first_line(problem))
    return TrainingRows(spans, f"its warm starts go back over more than {MOST_ANCESTORS} versions")


def leaves_something(
    fleet: Fleet, history: History, start_ms: int | None, end_ms: int | None, learnt: Iterable[TrainingRows]
) -> bool:
    """Whether any asset has history in the period that was not used to train any of the versions, judged by time alone.

    Assets that the first version never saw do not count, because it is not judged on them.
    """
    known = list(learnt)
    step = fleet.equipment.step
    assets = set(fleet.assets)
    if known and not known[0].unknown:
        assets &= known[0].spans.keys()
    for stored in history.summary():
        if stored.asset not in assets:
            continue
        first = stored.start_ms if start_ms is None else max(stored.start_ms, start_ms)
        last = stored.end_ms + 1 if end_ms is None else min(stored.end_ms + 1, end_ms)
        used = [(to_ms(period.start), to_ms(period.end)) for period in fleet.assets[stored.asset].normal]
        used += [(start, end + step) for rows in known for start, end in rows.spans.get(stored.asset, ())]
        if last > first and not _covers(union(used), first, last, step):
            return True
    return False


def _covers(spans: Sequence[Span], first: int, last: int, step: int) -> bool:
    """Whether the spans leave no gap of a step or more in [first, last)."""
    reached = first
    for start, end in spans:
        if min(start, last) - reached >= step:
            return False
        reached = max(reached, end)
    return last - reached < step
