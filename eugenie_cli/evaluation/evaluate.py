"""Judges a model version on a class's history, beside the classical detectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from eugenie_cli.detection.arrays import Bools
from eugenie_cli.detection.baselines import BASELINES, Detector
from eugenie_cli.episodes.state_machine import AlarmRule
from eugenie_cli.evaluation.backtest import Backtest, alarm_rule, backtest
from eugenie_cli.evaluation.comparison import Candidate, Comparison, difference_json
from eugenie_cli.evaluation.episodes import replay
from eugenie_cli.evaluation.judged_rows import early_ms, quiet_rows
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.evaluation.output import AnomalyWriter, ScoreWriter
from eugenie_cli.evaluation.performance import Judgement, Performance, judge, summarise
from eugenie_cli.evaluation.report import notes_on, performance_json
from eugenie_cli.evaluation.training_rows import TrainingRowCount
from eugenie_cli.evaluation.unseen_rows import UnseenRows
from eugenie_cli.history.store import History
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.labels import Labels
from eugenie_cli.site.schema import Fleet
from eugenie_cli.training.classical import asset_rows
from eugenie_cli.training.datasets import CALIBRATION, running_of
from eugenie_cli.training.load_rows import normal_grid
from eugenie_cli.training.mmap_arrays import Memory
from eugenie_cli.training.open_class import OpenClass

MODEL = "model"


@dataclass(frozen=True)
class Evaluation:
    """A model version on history, beside the baselines. `to_json` is the contract of `evaluate -o json`."""

    class_name: str
    version: int
    run_id: str
    """MLflow run that trained the version."""
    assets: int
    """Assets with judged rows."""
    judged_rows: int
    model: Performance
    baselines: Mapping[str, Performance]
    notes: tuple[str, ...]
    """Sentences that a reader needs to interpret the figures."""
    candidate: Candidate | None = None
    """The version that was judged beside it, if requested."""
    learnt: TrainingRowCount | None = None
    """Judged rows used to train the version; None if not examined."""
    left_out: int = 0
    """Rows left out because the version or the candidate was trained on them."""
    rule: AlarmRule | None = None
    """The alarm's; None if no asset was scored."""

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
            "baselines": {name: performance_json(performance) for name, performance in self.baselines.items()},
            "notes": list(self.notes),
            **self._beside(),
        }

    def _beside(self) -> dict[str, Any]:
        candidate = self.candidate
        if candidate is None:
            return {}
        return {
            "candidate": {
                "version": candidate.version,
                "run_id": candidate.run_id,
                "learnt": None if candidate.learnt is None else candidate.learnt.to_json(),
                **performance_json(candidate.model),
            },
            "difference": difference_json(candidate.difference),
        }


class Watcher(Protocol):
    """Receives each asset's rows as they are scored."""

    def add(self, backtest: Backtest, judged: Bools, beside: Backtest | None = None) -> None:
        """Receive an asset once, its judged rows (bool [T]), and the asset as the candidate scored it."""


def evaluate_class(
    opened: OpenClass,
    options: EvaluationOptions | None = None,
    progress: Progress = SILENT,
    *,
    watch: Watcher | None = None,
) -> Evaluation:
    """Score the class's rows with start_ms <= edge < end_ms, and judge the scores by the labels, if any.

    Rows with a value are judged, except those in the asset's listed normal periods, which trained and calibrated the
    model. With a candidate, rows used to train it or the version, according to their training runs, are also left out;
    if no row of the period is left, all rows are evaluated and a note is added. Rows without a score count as not
    flagged. The baselines learn from the same normal rows, set thresholds by the same budget and raise alarms by the
    same rule. Assets are scored one by one.

    `watch` receives each asset's rows, as the version and the candidate scored them.

    Raises:
        EugenieError: the version does not exist or does not fit the site, or a file cannot be written.
    """
    options = options or EvaluationOptions()
    fleet, labels, candidate = opened.fleet, options.labels, options.candidate
    baselines = BASELINES if options.with_baselines else ()
    judgements: dict[str, list[Judgement]] = {MODEL: [], **{name: [] for name in baselines}}
    detectors: dict[str, Detector] = {}
    number, run_id, rule = 0, "", None
    fresh = UnseenRows(opened, options)
    unknown_assets: list[str] = []
    unreadable: list[str] = []

    def backtests_of(scored_version: str | int) -> Iterator[Backtest]:
        return backtest(
            opened, version=scored_version, start_ms=options.start_ms, end_ms=options.end_ms, progress=progress
        )

    beside = _Beside(fleet, labels, fresh, backtests_of(candidate)) if candidate is not None else None
    with ScoreWriter(options.scores_to) as scores, AnomalyWriter(options.anomalies_to) as anomalies:
        for scored in backtests_of(options.version):
            number, run_id, rule = scored.version, scored.run_id, scored.rule or rule
            scores.write(scored)
            anomalies.write(scored)
            scored_beside = beside.advance() if beside is not None else None
            if scored.problem is not None:
                unreadable.append(f"Not judged: {scored.asset}. {scored.problem.reason}.")
                continue
            if not scored.known:  # nothing to compare a candidate with; a candidate that lost an asset is judged on it
                unknown_assets.append(scored.asset)
                continue
            judged = fresh.judged(scored)
            if watch is not None:
                watch.add(scored, judged, scored_beside)
            if options.with_baselines:
                detectors = detectors or _fit_baselines(fleet, opened.history, progress)
            for name, judgement in _judge_asset(fleet, scored, labels, judged, detectors, scored_beside):
                judgements[name].append(judgement)
            if beside is not None:
                beside.add(scored, judged, judgements[MODEL][-1])
    equipment = fleet.equipment
    performances = {
        name: summarise(of_assets, step_ms=equipment.step, with_labels=labels is not None)
        for name, of_assets in judgements.items()
    }
    model = performances.pop(MODEL)
    sizes = [len(judgement.score) for judgement in judgements[MODEL]]
    return Evaluation(
        class_name=fleet.name,
        version=number,
        run_id=run_id,
        assets=sum(size > 0 for size in sizes),
        judged_rows=sum(sizes),
        model=model,
        baselines=performances,
        notes=(
            *_unknown(unknown_assets, number, candidate is not None),
            *unreadable,
            *notes_on(fleet, labels, model, performances, sum(sizes), unknown_assets),
            *fresh.notes(),
        ),
        candidate=beside.result(model) if beside is not None else None,
        learnt=fresh.count(0),
        rule=rule,
        left_out=fresh.left_out,
    )


def _unknown(unknown_assets: Sequence[str], version: int, compared: bool) -> Iterator[str]:
    if unknown_assets:
        # a candidate may know these assets
        consequence = "so nothing is compared on them" if compared else "retrain once it is available"
        names = ", ".join(unknown_assets)
        yield f"Not judged: {names}. Version {version} was trained without their normal history; {consequence}."


class _Beside:
    """Judges another version, asset by asset, on the rows that the first version is judged on."""

    def __init__(self, fleet: Fleet, labels: Labels | None, fresh: UnseenRows, scored: Iterator[Backtest]) -> None:
        equipment = fleet.equipment
        self._fleet, self._labels = fleet, labels
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
        """Judge the asset that was scored last on the first version's judged rows."""
        assert self._last is not None  # noqa: S101 - for the type checker
        # a longer window reads more rows before the period and of gaps
        own_judged = np.isin(self._last.edges, first.edges[judged])
        ((_, own_judgement),) = _judge_asset(self._fleet, self._last, self._labels, own_judged, {}, first)
        self._judgements.append(own_judgement)
        self._comparison.add(first.edges[judged], judgement, own_judgement)

    def result(self, model: Performance) -> Candidate | None:
        """The candidate's figures and their differences from the first version's."""
        if self._last is None:
            return None
        equipment = self._fleet.equipment
        performance = summarise(self._judgements, step_ms=equipment.step, with_labels=self._labels is not None)
        differences = self._comparison.differences(model, performance)
        return Candidate(self._last.version, self._last.run_id, performance, differences, self._fresh.count(1))


def _fit_baselines(fleet: Fleet, history: History, progress: Progress) -> dict[str, Detector]:
    equipment = fleet.equipment
    summary = {stored.asset: stored for stored in history.summary()}
    learnt = []
    for asset in fleet.assets:
        grid = normal_grid(fleet, history, summary[asset], Memory()) if asset in summary else None
        if grid is not None and grid.count(CALIBRATION) and grid.learnt.any():
            learnt.append(asset_rows(grid))
    roles = [sensor.role for sensor in equipment.sensors]
    detectors = {}
    with progress.task("fit baselines", total=len(BASELINES)) as advance:
        for name, baseline in BASELINES.items():
            try:
                detectors[name] = baseline.fit(learnt, roles, equipment.alarm_policy)
            except ValueError as problem:
                progress.say(f"{fleet.name}: baseline {name} is left out: {problem}")
            advance(1)
    return detectors


def _judge_asset(
    fleet: Fleet,
    scored: Backtest,
    labels: Labels | None,
    judged: Bools,
    detectors: Mapping[str, Detector],
    beside: Backtest | None,
) -> Sequence[tuple[str, Judgement]]:
    equipment = fleet.equipment
    window = max(scored.window, 0 if beside is None else beside.window)
    quiet = quiet_rows(fleet, scored.asset, scored.edges, labels, window)
    labels_of_asset = labels.of([scored.asset]) if labels is not None else ()

    def against_labels(score: Any, contribution: Any, events: Any) -> Judgement:
        return judge(
            scored.asset, scored.edges, score, contribution, events,
            judged=judged, labels=labels_of_asset, sensors=equipment.sensor_names, quiet=quiet,
            early=early_ms(equipment),
        )  # fmt: skip

    judgements = [(MODEL, against_labels(scored.score, scored.contribution, scored.events))]
    lead = scored.rows[:0] if scored.lead is None else scored.lead
    rows = np.concatenate([lead, scored.rows])
    running = running_of(equipment)
    rows = rows if running is None else running.mask(rows)
    for name, detector in detectors.items():
        if scored.asset not in detector.assets:
            continue
        score, contribution = (part[len(lead) :] for part in detector.score(scored.asset, rows))
        rule = alarm_rule(equipment, detector.delays)
        events = replay(rule, scored.edges, score, contribution, values=scored.rows)
        judgements.append((name, against_labels(score, contribution, events)))
    return judgements
