"""The rows that a model version learnt from: nothing new can be said of it by judging it on these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eugenie_cli.detection.arrays import Bools, Ints
from eugenie_cli.detection.metrics.alarm_load import Span, union
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.schema import Site

MOST_ANCESTORS = 50
"""Versions that a network was warm-started from, one from the other, which are followed back."""


@dataclass(frozen=True)
class TrainingRows:
    """Of a version, training, validation and calibration together, and of the versions it was warm-started from."""

    spans: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    """asset -> [first, last] edges, both included, ms since 1970 UTC."""
    unknown: str = ""
    """Why nobody knows all of it; empty when it is known."""

    def among(self, asset: str, edges: Ints) -> Bools:
        """bool [T]: edges that it learnt from, as far as known."""
        found = np.zeros(len(edges), bool)
        for start, end in self.spans.get(asset, ()):
            found[np.searchsorted(edges, start) : np.searchsorted(edges, end, side="right")] = True
        return found


@dataclass(frozen=True)
class TrainingRowCount:
    """How many of the judged rows a version learnt from; at least so many where `unknown` says why nobody knows."""

    rows: int
    unknown: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "unknown": self.unknown or None}


def learnt_by(site: HasTracking, class_name: str, version: int | str) -> TrainingRows:
    """What a registered version learnt from. Never raises for what cannot be read: that is `unknown`, in words."""
    from mlflow.exceptions import MlflowException

    from eugenie_cli.training import mlflow_store, run_record
    from eugenie_cli.training.registry import Registry
    from eugenie_cli.training.warm_start import RUN_TAG

    spans: dict[str, list[Span]] = {}
    try:
        registry = Registry(site)
        # on the command line a number is text, and an alias too
        which = int(version) if str(version).isdecimal() else version
        run_id = registry.resolve(class_name, which).run_id
        for _ in range(MOST_ANCESTORS):
            known = run_record.learnt_by(registry.client, run_id)
            if known is None:
                return TrainingRows(
                    spans, f"run {run_id} does not say which rows it learnt from: it is older than that"
                )
            for asset, own in known.items():
                spans.setdefault(asset, []).extend(own)
            run_id = registry.client.get_run(run_id).data.tags.get(RUN_TAG, "")
            if not run_id:
                return TrainingRows(spans)
    except (EugenieError, MlflowException, OSError, ValueError) as problem:
        return TrainingRows(spans, mlflow_store.first_line(problem))
    return TrainingRows(spans, f"it goes back over more than {MOST_ANCESTORS} versions")


def leaves_something(
    site: Site, class_name: str, start_ms: int | None, end_ms: int | None, learnt: Iterable[TrainingRows]
) -> bool:
    """Whether any asset has history in the period that none of the versions learnt from, by the clock alone.

    Assets that the first version never saw do not count: it is not judged on them.
    """
    known = list(learnt)
    step = site.classes[class_name].step
    assets = set(site.assets_of(class_name))
    if known and not known[0].unknown:
        assets &= known[0].spans.keys()
    for one in open_history(site).summary():
        if one.asset not in assets:
            continue
        first = one.start_ms if start_ms is None else max(one.start_ms, start_ms)
        last = one.end_ms + 1 if end_ms is None else min(one.end_ms + 1, end_ms)
        taken = [(to_ms(period.start), to_ms(period.end)) for period in site.assets[one.asset].normal]
        taken += [(start, end + step) for each in known for start, end in each.spans.get(one.asset, ())]
        if last > first and not _covers(union(taken), first, last, step):
            return True
    return False


def _covers(spans: Sequence[Span], first: int, last: int, step: int) -> bool:
    """Whether less than a step of [first, last) is left between the spans, at any place."""
    reached = first
    for start, end in spans:
        if min(start, last) - reached >= step:
            return False
        reached = max(reached, end)
    return last - reached < step
