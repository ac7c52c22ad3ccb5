"""Judge a model version on a class's history, beside the classical detectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from eugenie_cli.detection.arrays import Bools
from eugenie_cli.detection.baselines import BASELINES, Detector
from eugenie_cli.evaluation.backtest import Backtest, alarm_rule, backtest
from eugenie_cli.evaluation.comparison import Candidate, Comparison, difference_json
from eugenie_cli.evaluation.episodes import replay
from eugenie_cli.evaluation.judged_rows import quiet_rows
from eugenie_cli.evaluation.labels import Labels
from eugenie_cli.evaluation.output import AnomalyWriter, ScoreWriter
from eugenie_cli.evaluation.performance import Judgement, Performance, judge, summarise
from eugenie_cli.evaluation.report import notes_on, performance_json
from eugenie_cli.evaluation.training_rows import TrainingRowCount
from eugenie_cli.evaluation.unseen_rows import UnseenRows
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.training.classical import asset_rows
from eugenie_cli.training.datasets import CALIBRATION, running_of
from eugenie_cli.training.load_rows import normal_grid
from eugenie_cli.training.mmap_arrays import Memory

MODEL = "model"


@dataclass(frozen=True)
class Evaluation:
    """A model version on history, beside the baselines. `to_json` is the contract of `evaluate -o json`."""

    class_name: str
    version: int
    run_id: str
    """MLflow run that trained it."""
    assets: int
    """Assets with judged rows."""
    judged_rows: int
    model: Performance
    baselines: Mapping[str, Performance]
    notes: tuple[str, ...]
    """What a reader must know to read the figures right, in plain words."""
    candidate: Candidate | None = None
    """The version that was judged beside it, if one was asked for."""
    learnt: TrainingRowCount | None = None
    """Of the judged rows, by the version; None where nobody looked."""
    left_out: int = 0
    """Rows that are not judged because the version or the candidate learnt from them."""

    def to_json(self) -> dict[str, Any]:
        """`{"class", "version", "point", "events", ..., "baselines": {NAME: the same}}`."""
        return {
            "class": self.class_name,
            "version": self.version,
            "assets": self.assets,
            "judged_rows": self.judged_rows,
            "left_out_rows": self.left_out,
            "learnt": None if self.learnt is None else self.learnt.to_json(),
            **performance_json(self.model),
            "baselines": {name: performance_json(one) for name, one in self.baselines.items()},
            "notes": list(self.notes),
            **self._beside(),
        }

    def _beside(self) -> dict[str, Any]:
        one = self.candidate
        if one is None:
            return {}
        return {
            "candidate": {
                "version": one.version,
                "run_id": one.run_id,
                "learnt": None if one.learnt is None else one.learnt.to_json(),
                **performance_json(one.model),
            },
            "difference": difference_json(one.difference),
        }


class Watcher(Protocol):
    """Sees the rows of each asset as they are scored."""

    def add(self, one: Backtest, judged: Bools, beside: Backtest | None = None) -> None:
        """An asset, once, its judged rows, bool [T], and the asset as the candidate scored it."""


def evaluate_class(
    site: Site,
    class_name: str,
    labels: Labels | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    version: str | int = "champion",
    progress: Progress = SILENT,
    *,
    scores_to: Path | None = None,
    anomalies_to: Path | None = None,
    watch: Watcher | None = None,
    candidate: str | int | None = None,
    with_baselines: bool = True,
) -> Evaluation:
    """Score the class's rows with start_ms <= edge < end_ms, and judge the scores by `labels`, if any.

    Judged are the rows that have a value, less those in the asset's listed normal periods: they trained and
    calibrated the model. With a candidate, less all rows that it or the version learnt from, by the record of their
    training runs; where that leaves no row of the period, all are judged, and the evaluation says so.
    Rows without a score count as not flagged. The baselines learn from the same normal
    rows, take thresholds by the same budget and raise alarms by the same rule. Assets are scored one by one.

    `scores_to` (.csv or .parquet) and `anomalies_to` (JSON lines) receive what the stream would have written,
    `watch` each asset's rows. `candidate` is another version, judged on the same rows beside it; `watch` sees both.

    Raises:
        EugenieError: no such class or version; the version does not fit the site; a file cannot be written.
    """
    judgements: dict[str, list[Judgement]] = {MODEL: [], **{name: [] for name in BASELINES if with_baselines}}
    detectors: dict[str, Detector] = {}
    number, run_id = 0, ""
    fresh = UnseenRows(site, class_name, start_ms, end_ms, version, candidate)
    strangers: list[str] = []

    def scored(which: str | int) -> Iterator[Backtest]:
        return backtest(site, class_name, version=which, start_ms=start_ms, end_ms=end_ms, progress=progress)

    beside = _Beside(site, class_name, labels, fresh, scored(candidate)) if candidate is not None else None
    with ScoreWriter(scores_to) as scores, AnomalyWriter(anomalies_to) as anomalies:
        for one in scored(version):
            number, run_id = one.version, one.run_id
            scores.write(one)
            anomalies.write(one)
            other = beside.advance() if beside is not None else None
            if not one.known:  # nothing to compare a candidate with; one that has lost an asset is judged on it
                strangers.append(one.asset)
                continue
            judged = fresh.judged(one)
            if watch is not None:
                watch.add(one, judged, other)
            if with_baselines:
                detectors = detectors or _fit_baselines(site, class_name, progress)
            for name, judgement in _judge_asset(site, class_name, one, labels, judged, detectors):
                judgements[name].append(judgement)
            if beside is not None:
                beside.add(one, judged, judgements[MODEL][-1])
    equipment = site.classes[class_name]
    performances = {
        name: summarise(
            found,
            step_ms=equipment.step,
            with_labels=labels is not None,
            longest_buffer=equipment.model.window,
        )
        for name, found in judgements.items()
    }
    model = performances.pop(MODEL)
    sizes = [len(one.score) for one in judgements[MODEL]]
    return Evaluation(
        class_name=class_name,
        version=number,
        run_id=run_id,
        assets=sum(size > 0 for size in sizes),
        judged_rows=sum(sizes),
        model=model,
        baselines=performances,
        notes=(
            *_unknown(strangers, number, candidate is not None),
            *notes_on(site, class_name, labels, model, performances, sum(sizes), strangers),
            *fresh.notes(),
        ),
        candidate=beside.result(model) if beside is not None else None,
        learnt=fresh.count(0),
        left_out=fresh.left_out,
    )


def _unknown(strangers: Sequence[str], version: int, compared: bool) -> Iterator[str]:
    if strangers:
        # a candidate may well know them
        then = "so nothing is compared there" if compared else "train again once there is some"
        yield f"Not judged: {', '.join(strangers)}. Version {version} was trained without their normal history; {then}."


class _Beside:
    """Another version, judged asset by asset on the rows that the first is judged on."""

    def __init__(
        self, site: Site, class_name: str, labels: Labels | None, fresh: UnseenRows, scored: Iterator[Backtest]
    ) -> None:
        equipment = site.classes[class_name]
        self._site, self._class_name, self._labels = site, class_name, labels
        self._scored, self._fresh = scored, fresh
        self._last: Backtest | None = None
        self._judgements: list[Judgement] = []
        self._comparison = Comparison(
            step_ms=equipment.step, window=equipment.model.window, with_labels=labels is not None
        )

    def advance(self) -> Backtest:
        """Score the next asset."""
        self._last = next(self._scored)
        return self._last

    def add(self, first: Backtest, judged: Bools, judgement: Judgement) -> None:
        """The asset that was scored last, as the first version was judged on it."""
        assert self._last is not None  # noqa: S101 - for the type checker
        ((_, found),) = _judge_asset(self._site, self._class_name, self._last, self._labels, judged, {})
        self._judgements.append(found)
        self._comparison.add(first.edges[judged], judgement, found)

    def result(self, model: Performance) -> Candidate | None:
        """What it comes to, beside the first's figures."""
        if self._last is None:
            return None
        equipment = self._site.classes[self._class_name]
        own = summarise(
            self._judgements,
            step_ms=equipment.step,
            with_labels=self._labels is not None,
            longest_buffer=equipment.model.window,
        )
        differences = self._comparison.differences(model, own)
        return Candidate(self._last.version, self._last.run_id, own, differences, self._fresh.count(1))


def _fit_baselines(site: Site, class_name: str, progress: Progress) -> dict[str, Detector]:
    equipment, history = site.classes[class_name], open_history(site)
    summary = {one.asset: one for one in history.summary()}
    learnt = []
    for asset in site.assets_of(class_name):
        grid = normal_grid(site, history, summary[asset], Memory()) if asset in summary else None
        if grid is not None and grid.count(CALIBRATION) and grid.learnt.any():
            learnt.append(asset_rows(grid))
    roles = [sensor.role for sensor in equipment.sensors]
    detectors = {}
    with progress.task("fit baselines", total=len(BASELINES)) as advance:
        for name, baseline in BASELINES.items():
            try:
                detectors[name] = baseline.fit(learnt, roles, equipment.alarm.budget)
            except ValueError as problem:
                progress.say(f"{class_name}: no baseline {name}: {problem}")
            advance(1)
    return detectors


def _judge_asset(
    site: Site,
    class_name: str,
    one: Backtest,
    labels: Labels | None,
    judged: Bools,
    detectors: Mapping[str, Detector],
) -> Sequence[tuple[str, Judgement]]:
    equipment = site.classes[class_name]
    quiet = quiet_rows(site, class_name, one.asset, one.edges, labels)
    own = labels.of([one.asset]) if labels is not None else ()

    def against_labels(score: Any, contribution: Any, events: Any) -> Judgement:
        return judge(
            one.asset, one.edges, score, contribution, events,
            judged=judged, labels=own, sensors=equipment.sensor_names, quiet=quiet,
        )  # fmt: skip

    found = [(MODEL, against_labels(one.score, one.contribution, one.events))]
    lead = one.rows[:0] if one.lead is None else one.lead
    rows = np.concatenate([lead, one.rows])
    running = running_of(equipment)
    rows = rows if running is None else running.mask(rows)
    for name, detector in detectors.items():
        if one.asset not in detector.assets:
            continue
        score, contribution = (part[len(lead) :] for part in detector.score(one.asset, rows))
        events = replay(alarm_rule(equipment), one.edges, score, contribution, values=one.rows)
        found.append((name, against_labels(score, contribution, events)))
    return found
