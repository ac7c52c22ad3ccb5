"""Champion and candidate on the same rows: what differs, and how sure that is.

Rows are resampled in blocks within each asset, events as wholes (`detection.metrics.bootstrap`). Blocks are as long as
two windows, because scores of rows that share a window depend on each other, or as the middle one of the faults. Sums
over the draws are kept, not rows, so a class of hundreds of assets fits; VUS-PR needs all scores at once and gets an
interval up to `MOST_ROWS_FOR_VUS` rows.
"""

from __future__ import annotations

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
from eugenie_cli.detection.metrics.ranking import Series, Volume
from eugenie_cli.evaluation.performance import DAY_MS, Judgement, Performance
from eugenie_cli.evaluation.training_rows import TrainingRowCount

SEED = 0
"""The same rows give the same intervals."""
WINDOWS_A_BLOCK = 2
MOST_ROWS_FOR_VUS = 40_000
VUS_REPLICATES = 200
"""With these two VUS-PR takes some seconds."""
METHOD = (
    "paired circular block bootstrap of rows within assets (Künsch 1989; Politis & Romano 1992), bootstrap of events, "
    f"percentile intervals of {REPLICATES} draws"
)

# What is counted of a row, once for each of the two.
_KINDS = ("tp", "fp", "fn", "flagged", "scored", "on", "raised", "false", "quiet", "quiet_flagged", "quiet_on")


@dataclass(frozen=True)
class Candidate:
    """A version that was judged beside the champion, on the same rows."""

    version: int
    run_id: str
    model: Performance
    difference: Mapping[str, Difference]
    """By figure: the candidate's less the champion's."""
    learnt: TrainingRowCount | None = None
    """Of the judged rows; None where nobody looked."""


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
        """An asset: its judged edges int64 [J], and both judgements of them."""
        pair = (champion, candidate)
        self._delays += zip(*([_delay(event, one) for event in champion.events] for one in pair), strict=True)
        rows = len(edges)
        if not rows:
            return
        block = self._block(champion, rows)
        starts = block_starts(rows, block, REPLICATES, self._random)
        counts = np.concatenate([_counts(edges, one) for one in pair], axis=1)
        self._sums += block_sums(counts, block, starts).reshape(REPLICATES, 2, len(_KINDS))
        self._rows += rows
        self._blocks += starts.shape[1]
        if self._labelled and self._rows <= MOST_ROWS_FOR_VUS:
            first, second = ((one.score, one.labelled) for one in pair)
            self._series.append((first, second, block, starts[:VUS_REPLICATES]))

    def differences(self, champion: Performance, candidate: Performance) -> Mapping[str, Difference]:
        """By figure, in the order of the report."""
        before, after = (_figures(self._sums[:, which], self._rows, self._days) for which in (0, 1))
        sure = self._blocks >= FEWEST_BLOCKS
        found = {
            name: difference(_less(_value(candidate, name), _value(champion, name)), after[name] - before[name])
            if sure
            else Difference(_less(_value(candidate, name), _value(champion, name)))
            for name in (_LABELLED if self._labelled else _UNLABELLED)
        }
        if not self._labelled:
            return found
        detected, delay = event_differences(np.array(self._delays, np.float64).reshape(-1, 2), self._random)
        value = _less(candidate.vus_pr, champion.vus_pr)
        volumes = self._volumes() if sure and self._rows <= MOST_ROWS_FOR_VUS else None
        return {**found, "detected": detected, "delay_s": delay, "vus_pr": difference(value, volumes)}

    @property
    def _days(self) -> float:
        return self._rows * self._step_ms / DAY_MS

    def _block(self, judgement: Judgement, rows: int) -> int:
        lengths = [(event.end - event.start) // self._step_ms for event in judgement.events]
        return int(min(max(WINDOWS_A_BLOCK * self._window, float(np.median(lengths)) if lengths else 0), rows))

    def _volumes(self) -> Floats | None:
        """float64 [R]: differences of VUS-PR; None without a labelled row."""
        pairs = [one[:2] for one in self._series]
        volumes = [Volume([pair[which] for pair in pairs], self._window) for which in (0, 1)]
        found = np.full(VUS_REPLICATES, np.nan)
        for replicate in range(VUS_REPLICATES):
            weights = np.concatenate(
                [row_weights(len(one[0]), block, starts[replicate]) for one, _, block, starts in self._series]
            )
            value = _less(volumes[1].of(weights), volumes[0].of(weights))
            if value is not None:
                found[replicate] = value
        return found


def difference_json(found: Mapping[str, Difference]) -> dict[str, Any]:
    """`{figure: {value, low, high}}`."""
    return {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in found.items()}


_LABELLED = (
    "f1", "far", "mar", "precision", "recall", "false_alarms_per_asset_day", "alarm_time_fraction",
    "anomalies_per_asset_day", "flagged", "quiet_flagged", "quiet_alarm_time_fraction", "coverage",
)  # fmt: skip
_UNLABELLED = ("flagged", "anomalies_per_asset_day", "alarm_time_fraction", "coverage")
_QUIET = "quiet_"
_POINT = frozenset({"f1", "far", "mar", "precision", "recall"})


def _value(one: Performance, name: str) -> float | None:
    if name in _POINT:
        return getattr(one.point, name) if one.point else None
    if name.startswith(_QUIET):
        return getattr(one.quiet, name.removeprefix(_QUIET)) if one.quiet else None
    value: float | None = getattr(one, name)
    return value


def _less(new: float | None, old: float | None) -> float | None:
    return None if new is None or old is None else new - old


def _delay(event: Any, one: Judgement) -> float:
    alarm = first_alarm(event, one.raised)
    return np.nan if alarm is None else max(0, alarm.detected - event.start) / 1000


def _counts(edges: Ints, one: Judgement) -> Ints:
    """int64 [J, kinds]."""
    flagged = one.score > 1.0
    raised, false = (np.zeros(len(edges), np.int64) for _ in range(2))
    for alarm in one.raised:
        first = np.searchsorted(edges, alarm.detected)
        raised[first] += 1  # one that was raised before a judged row counts at the first one
        false[first] += is_false(alarm, one.events)
    there: Sequence[Any] = (
        flagged & one.labelled, flagged & ~one.labelled, ~flagged & one.labelled, flagged, ~np.isnan(one.score),
        one.on, raised, false, one.quiet, flagged & one.quiet, one.on & one.quiet,
    )  # fmt: skip
    return np.stack([np.asarray(kind, np.int64) for kind in there], axis=1)


def _figures(sums: Floats, rows: int, days: float) -> Mapping[str, Floats]:
    """Of sums [R, kinds]: each figure [R], NaN where its denominator is 0."""
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
