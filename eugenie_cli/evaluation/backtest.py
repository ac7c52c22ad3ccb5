"""Runs a model version over history: the records that the stream would have written then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.detectors.options import CHART_WINDOW
from eugenie_cli.episodes.delays import Delays
from eugenie_cli.episodes.records import anomaly_record
from eugenie_cli.episodes.state_machine import AlarmRule, Event
from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.episodes import replay
from eugenie_cli.evaluation.graph import Graph
from eugenie_cli.evaluation.versions import exported
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.store import History
from eugenie_cli.progress import SILENT, Advance, Progress
from eugenie_cli.serving import model_info
from eugenie_cli.site.schema import EquipmentClass, Fleet
from eugenie_cli.training.open_class import OpenClass


@dataclass(frozen=True)
class Backtest:
    """One asset's scored rows of the period: T rows, S sensors. Long gaps in the history are shortened to as many
    rows as the longest window needs."""

    asset: str
    version: int
    run_id: str
    """MLflow run that trained the version."""
    edges: Ints
    """int64 [T], ms since 1970 UTC."""
    rows: Floats
    """float32 [T, S], NaN where missing."""
    score: Floats
    """float32 [T], NaN where not scored."""
    contribution: Floats
    """float32 [T, S]."""
    expected: Floats
    """float32 [T, S]: the forecast of each row."""
    events: tuple[Event, ...]
    """Events of the episode machine, with every anomaly closed."""
    anomalies: tuple[dict[str, Any], ...]
    """The events as the records that the stream writes."""
    window: int = 0
    """Rows that the version looks back over."""
    known: bool = True
    """Whether the version knows the asset; otherwise no row has a score."""
    problem: EugenieError | None = None
    """Why the asset's history cannot be read; it then has no row."""
    rule: AlarmRule | None = None
    """The episode machine's."""
    lead: Floats | None = None
    """float32 [at most the longest window, S]: the rows just before the period, which fill its first windows."""


def alarm_rule(equipment: EquipmentClass, delays: Delays) -> AlarmRule:
    """The class's alarm settings for the episode machine. `delays`: the detector's, unless the site file has others."""
    alarm = equipment.alarm
    return AlarmRule(alarm.on_delay or delays.on, alarm.off_delay or delays.off, alarm.cooldown, equipment.silence_ms)


def backtest(
    opened: OpenClass,
    *,
    version: str | int = "champion",
    start_ms: int | None = None,
    end_ms: int | None = None,
    history: History | None = None,
    progress: Progress = SILENT,
) -> Iterator[Backtest]:
    """Score the rows of the class with start_ms <= edge < end_ms, asset by asset.

    `version` is a number or an alias; it is exported first if necessary. Rows before `start_ms` fill the first windows
    and are not part of the result. Assets without history in the period, or whose history cannot be read (`problem`),
    have T = 0; assets that the version does not know have no scores. `history` holds the readings, by default the
    site's.

    Raises:
        EugenieError: the version does not exist, or does not fit the site's class.
    """
    fleet, readings = opened.fleet, history if history is not None else opened.history
    graph = Graph(exported(opened, version, progress))
    # a version of another type has its own window, and is judged by it
    model_info.check(graph.info, fleet, any_window=True)
    if warning := model_info.unknown_assets_message(graph.info, fleet.assets):
        progress.say(f"{fleet.name}: {warning}")
    with progress.task(f"score {fleet.name}", total=len(fleet.assets), unit="assets") as advance:
        for asset in fleet.assets:
            try:
                scored = _of_asset(fleet, readings, asset, graph, (start_ms, end_ms), advance)
            except EugenieError as unreadable:
                scored = _unreadable(fleet, asset, graph, unreadable)
            yield scored


def _of_asset(
    fleet: Fleet,
    history: History,
    asset: str,
    graph: Graph,
    period: tuple[int | None, int | None],
    advance: Advance,
) -> Backtest:
    equipment, (start_ms, end_ms) = fleet.equipment, period
    # a baseline's window may be longer than the model's
    longest = max(graph.info.window, CHART_WINDOW)
    lead_in = (longest - 1) * equipment.step
    first_ms = None if start_ms is None else start_ms - lead_in
    grid = load_grid(fleet, history, asset, first_ms, end_ms, gap_rows=longest - 1)
    total = max(len(grid.edges), 1)
    scores = graph.score(asset, grid.rows, lambda rows: advance(rows / total))
    keep = slice(0 if start_ms is None else int(np.searchsorted(grid.edges, start_ms)), None)
    edges, rows = grid.edges[keep], grid.rows[keep]
    score, contribution, expected = (array[keep] for array in scores)
    rule = alarm_rule(equipment, graph.info.delays)
    events = replay(
        rule, edges, score, contribution,
        values=rows, expected=expected, version=graph.info.version,
    )  # fmt: skip
    sensors = [(sensor.name, sensor.unit) for sensor in equipment.sensors]
    return Backtest(
        asset=asset,
        version=graph.info.version,
        run_id=graph.info.run_id,
        edges=edges,
        rows=rows,
        score=score,
        contribution=contribution,
        expected=expected,
        events=tuple(events),
        anomalies=tuple(
            anomaly_record(fleet.site_name, asset, fleet.name, sensors, event, fleet.name) for event in events
        ),
        rule=rule,
        window=graph.info.window,
        known=asset in graph.info.assets,
        lead=grid.rows[: keep.start],
    )


def _unreadable(fleet: Fleet, asset: str, graph: Graph, problem: EugenieError) -> Backtest:
    """An asset without rows, because its history cannot be read."""
    rows = np.zeros((0, len(fleet.equipment.sensors)), np.float32)
    return Backtest(
        asset=asset,
        version=graph.info.version,
        run_id=graph.info.run_id,
        edges=np.zeros(0, np.int64),
        rows=rows,
        score=rows.sum(axis=1),
        contribution=rows,
        expected=rows,
        events=(),
        anomalies=(),
        window=graph.info.window,
        known=asset in graph.info.assets,
        problem=problem,
    )
