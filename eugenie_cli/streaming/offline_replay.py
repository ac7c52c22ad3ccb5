"""A replay without Kafka and Flink: writes the records that the stream would have written, straight from the graph.

A score is a pure function of its window, and the grid, the graph and the state machine are those of the stream. So this
is the backtest of `evaluate`, written as the stream's records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from eugenie_cli.episodes.records import ScoreFormatter, dumps
from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.backtest import Backtest, backtest
from eugenie_cli.files import replacing
from eugenie_cli.history.grid import limits_by_name
from eugenie_cli.history.store import History
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.schema import EquipmentClass, Fleet, Site
from eugenie_cli.streaming.recorded_files import history_of_file
from eugenie_cli.streaming.recordings import Chosen
from eugenie_cli.training.open_class import open_class

Write = Callable[[bytes], Any]
"""Writes a record, given without a newline."""


@dataclass(frozen=True)
class Scored:
    """What a bounded replay wrote. `rows`: all score records; `scores`: those with a score."""

    rows: int
    scores: int
    anomalies: int
    rejected: dict[str, int] = field(default_factory=dict)
    """Records of a file that are not readings of the site, by reason: dead letters in the stream."""


def score(
    site: Site,
    chosen: Chosen,
    *,
    version: str = "champion",
    scores_to: Path | None = None,
    anomalies_to: Path | None = None,
    on_anomaly: Callable[[dict[str, Any]], None] = lambda _: None,
    progress: Progress = SILENT,
) -> Scored:
    """Score history or a file and write the records as JSON lines, asset by asset, each in time order.

    `on_anomaly` is also called with each anomaly record. Raises EugenieError when the model version does not exist or
    does not fit the site, or when a file cannot be read or written.
    """
    by_class: dict[str, list[str]] = {}
    for name in chosen.assets:
        by_class.setdefault(site.assets[name].class_name, []).append(name)
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        read = None
        if chosen.file is not None:
            read = stack.enter_context(history_of_file(site, chosen.file, chosen.source, progress))
        write_score = stack.enter_context(_lines(scores_to))
        write_anomaly = stack.enter_context(_lines(anomalies_to))
        for class_name, assets in by_class.items():
            opened = open_class(site, class_name)
            opened = replace(opened, fleet=opened.fleet.only(assets))
            history = read.history if read is not None else opened.history
            results = backtest(
                opened, version=version, start_ms=chosen.start_ms, end_ms=chosen.end_ms, history=history,
                progress=progress,
            )  # fmt: skip
            for result in results:
                if result.problem is not None:
                    raise result.problem
                for line, is_scored in _score_records(opened.fleet, history, result):
                    counts["rows"] += 1
                    counts["scores"] += is_scored
                    write_score(line)
                for record in result.anomalies:
                    counts["anomalies"] += 1
                    write_anomaly(dumps(record))
                    on_anomaly(record)
    return Scored(
        counts["rows"], counts["scores"], counts["anomalies"], dict(read.rejected if read is not None else {})
    )


def _score_records(fleet: Fleet, history: History, result: Backtest) -> Iterator[tuple[bytes, bool]]:
    """A record for each row that has a score or took in a reading, and whether it has a score."""
    if not len(result.edges):
        return
    good, bad = _readings(fleet.equipment, history, result)
    write = ScoreFormatter(fleet.site_name, fleet.name, fleet.name)
    scored = ~np.isnan(result.score)
    for row in np.flatnonzero(scored | (good > 0) | (bad > 0)):
        is_scored = bool(scored[row])
        version = result.version if is_scored else None
        edge, value = int(result.edges[row]), float(result.score[row])
        yield write(result.asset, edge, value, int(good[row]), int(bad[row]), version), is_scored


def _readings(equipment: EquipmentClass, history: History, result: Backtest) -> tuple[np.ndarray, np.ndarray]:
    """Good and bad readings that each row took in, int64 [T] each. The history holds repeated readings once."""
    step = equipment.step
    first, last = int(result.edges[0]), int(result.edges[-1])
    readings = history.read(result.asset, first - step + 1, last + 1, limits_by_name(equipment))
    index = {name: column for column, name in enumerate(equipment.sensor_names)}
    lookup = np.array([index.get(name, -1) for name in readings.names], np.int32)
    sensor = lookup[readings.sensor] if len(readings.sensor) else np.zeros(0, np.int32)
    known = sensor >= 0
    row = np.searchsorted(result.edges, readings.ts[known])
    is_bad = np.isnan(readings.value[known])
    return (
        np.bincount(row[~is_bad], minlength=len(result.edges)),
        np.bincount(row[is_bad], minlength=len(result.edges)),
    )


@contextmanager
def _lines(path: Path | None) -> Iterator[Write]:
    """Writes lines to a file that appears complete when the block succeeds. None: discards them."""
    if path is None:
        yield lambda _: None
        return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(replacing(path))
        except OSError as error:
            raise EugenieError(f"cannot write {path}: {error.strerror}", "choose another file") from error
        yield lambda record: stream.write(record + b"\n")
