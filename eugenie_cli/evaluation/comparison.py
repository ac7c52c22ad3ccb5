"""Champion and candidate on the same rows: how they differ, and how certain the differences are.

Rows are resampled in blocks within each asset, events as a whole (`detection.metrics.bootstrap`). Blocks are as long as
two windows, because scores of rows that share a window depend on each other, or as the median fault if that is longer.
Only sums over the draws are kept, not rows, so a class of hundreds of assets fits in memory. VUS-PR needs all scores at
once and has an interval only up to `MOST_ROWS_FOR_VUS` rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.metrics import first_alarm, is_false
from eugenie_cli.detection.metrics.bootstrap import (
    FEWEST_BLOCKS,
    REPLICATES,
    Difference,
    block_starts,
    block_sums,
    difference,
    event_differences,
    row_weights,
)
from eugenie_cli.detection.metrics.vus import RESAMPLED_BUFFERS, Series, Surface
from eugenie_cli.evaluation.performance import DAY_MS, Judgement, Performance
from eugenie_cli.evaluation.training_rows import TrainingRowCount

SEED = 0
"""Fixed, so that the same rows give the same intervals."""
WINDOWS_A_BLOCK = 2
MOST_ROWS_FOR_VUS = 40_000
VUS_REPLICATES = 200
"""These two limits keep VUS-PR within a few seconds."""
METHOD = (
    "paired circular block bootstrap of rows within assets (Künsch 1989; Politis & Romano 1992), bootstrap of events, "
    f"percentile intervals of {REPLICATES} draws"
)

# Counted for each row, once for each version.
_KINDS = ("tp", "fp", "fn", "flagged", "scored", "on", "raised", "false", "quiet", "quiet_flagged", "quiet_on")


@dataclass(frozen=True)
class Candidate:
    """A version that was judged on the same rows as the champion."""

    version: int
    run_id: str
    model: Performance
    difference: Mapping[str, Difference]
    """By figure: the candidate's minus the champion's."""
    learnt: TrainingRowCount | None = None
    """Judged rows used to train it; None if not examined."""


class Comparison:
    """`add` each asset's two judgements, then ask for `differences`."""

    def __init__(self, *, step_ms: int, window: int, with_labels: bool) -> None:
        self._step_ms, self._window, self._labelled = step_ms, window, with_labels
        self._random = np.random.default_rng(SEED)
        self._sums: Floats = np.zeros((REPLICATES, 2, len(_KINDS)))
        self._rows = self._blocks = 0
        self._delays: list[tuple[float, float]] = []
        self._series: list[tuple[Series, Series, int, Ints]] = []

    def add(self, edges: Ints, champion: Judgement, candidate: Judgement) -> None:
        """Add an asset: its judged edges int64 [J], and both judgements of them."""
        pair = (champion, candidate)
        self._delays += zip(
            *([_delay(event, judgement) for event in champion.events] for judgement in pair), strict=True
        )
        rows = len(edges)
        if not rows:
            return
        block = self._block(champion, rows)
        starts = block_starts(rows, block, REPLICATES, self._random)
        counts = np.concatenate([_counts(edges, judgement) for judgement in pair], axis=1)
        self._sums += block_sums(counts, block, starts).reshape(REPLICATES, 2, len(_KINDS))
        self._rows += rows
        self._blocks += starts.shape[1]
        if self._labelled and self._rows <= MOST_ROWS_FOR_VUS:
            first, second = ((judgement.score, judgement.labelled) for judgement in pair)
            self._series.append((first, second, block, starts[:VUS_REPLICATES]))

    def differences(self, champion: Performance, candidate: Performance) -> Mapping[str, Difference]:
        """The differences by figure, in the order of the report."""
        before, after = (_figures(self._sums[:, version], self._rows, self._days) for version in (0, 1))
        enough_blocks = self._blocks >= FEWEST_BLOCKS
        differences = {
            name: difference(_less(_value(candidate, name), _value(champion, name)), after[name] - before[name])
            if enough_blocks
            else Difference(_less(_value(candidate, name), _value(champion, name)))
            for name in (_LABELLED if self._labelled else _UNLABELLED)
        }
        if not self._labelled:
            return differences
        detected, delay = event_differences(np.array(self._delays, np.float64).reshape(-1, 2), self._random)
        value = _less(candidate.vus_pr, champion.vus_pr)
        volumes = self._volumes() if enough_blocks and self._rows <= MOST_ROWS_FOR_VUS else None
        return {**differences, "detected": detected, "delay_s": delay, "vus_pr": difference(value, volumes)}

    @property
    def _days(self) -> float:
        return self._rows * self._step_ms / DAY_MS

    def _block(self, judgement: Judgement, rows: int) -> int:
        lengths = [(event.end - event.start) // self._step_ms for event in judgement.events]
        return int(min(max(WINDOWS_A_BLOCK * self._window, float(np.median(lengths)) if lengths else 0), rows))

    def _volumes(self) -> Floats | None:
        """float64 [R]: differences of VUS-PR; None without a labelled row."""
        volumes = []
        for *pair, block, starts in self._series:
            if pair[0][1].any():
                rows = len(pair[0][0])
                weights = np.stack([row_weights(rows, block, replicate) for replicate in starts]).astype(np.float64)
                volumes.append([Surface(*series, RESAMPLED_BUFFERS).volumes(weights) for series in pair])
        if not volumes:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a draw without a labelled row has no volume
            champion, candidate = np.nanmean(volumes, axis=0)
        differences: Floats = candidate - champion
        return differences


def difference_json(differences: Mapping[str, Difference]) -> dict[str, Any]:
    """`{figure: {value, low, high}}`."""
    return {
        name: {"value": difference.value, "low": difference.low, "high": difference.high}
        for name, difference in differences.items()
    }


_LABELLED = (
    "f1", "far", "mar", "precision", "recall", "false_alarms_per_asset_day", "alarm_time_fraction",
    "anomalies_per_asset_day", "flagged", "quiet_flagged", "quiet_alarm_time_fraction", "coverage",
)  # fmt: skip
_UNLABELLED = ("flagged", "anomalies_per_asset_day", "alarm_time_fraction", "coverage")
_QUIET = "quiet_"
_POINT = frozenset({"f1", "far", "mar", "precision", "recall"})


def _value(performance: Performance, name: str) -> float | None:
    if name in _POINT:
        return getattr(performance.point, name) if performance.point else None
    if name.startswith(_QUIET):
        return getattr(performance.quiet, name.removeprefix(_QUIET)) if performance.quiet else None
    value: float | None = getattr(performance, name)
    return value


def _less(new: float | None, old: float | None) -> float | None:
    return None if new is None or old is None else new - old


def _delay(event: Any, judgement: Judgement) -> float:
    alarm = first_alarm(event, judgement.raised)
    return np.nan if alarm is None else max(0, alarm.detected - event.start) / 1000


def _counts(edges: Ints, judgement: Judgement) -> Ints:
    """int64 [J, kinds]."""
    flagged = judgement.score > 1.0
    raised, false = (np.zeros(len(edges), np.int64) for _ in range(2))
    for alarm in judgement.raised:
        first = np.searchsorted(edges, alarm.detected)
        raised[first] += 1  # an alarm raised at no judged row counts at the next one
        false[first] += is_false(alarm, judgement.events)
    labelled, quiet = judgement.labelled, judgement.quiet
    columns: Sequence[Any] = (
        flagged & labelled, flagged & ~labelled, ~flagged & labelled, flagged, ~np.isnan(judgement.score), judgement.on,
        raised, false, quiet, flagged & quiet, judgement.on & quiet,
    )  # fmt: skip
    return np.stack([np.asarray(kind, np.int64) for kind in columns], axis=1)


def _figures(sums: Floats, rows: int, days: float) -> Mapping[str, Floats]:
    """Sums [R, kinds] -> each figure [R], NaN where its denominator is 0."""
    tp, fp, fn, flagged, scored, on, raised, false, quiet, quiet_flagged, quiet_on = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "f1": 2 * tp / (2 * tp + fp + fn),
            "far": fp / (rows - tp - fn),
            "mar": fn / (tp + fn),
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "false_alarms_per_asset_day": false / days,
            "alarm_time_fraction": on / rows,
            "anomalies_per_asset_day": raised / days,
            "flagged": flagged / rows,
            "coverage": scored / rows,
            "quiet_flagged": quiet_flagged / quiet,
            "quiet_alarm_time_fraction": quiet_on / quiet,
        }
