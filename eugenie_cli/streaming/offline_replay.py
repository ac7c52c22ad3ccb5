"""A replay without Kafka and Flink: the records that the stream would have written, straight from the graph.

A score is a pure function of its window, and the grid, the graph and the episode machine are the stream's own: so this
is `evaluate`'s backtest, written in the stream's words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eugenie_cli.episodes.records import ScoreFormatter, dumps
from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.backtest import Backtest, backtest
from eugenie_cli.files import replacing
from eugenie_cli.history.grid import limits_by_name
from eugenie_cli.history.site_history import open_history
from eugenie_cli.history.store import History
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.recorded_files import history_of_file
from eugenie_cli.streaming.recordings import Chosen

Write = Callable[[bytes], Any]
"""Takes a record, without the end of its line."""


@dataclass(frozen=True)
class Scored:
    """What a bounded replay wrote. `scores`: rows with a score; `rows`: score records in all."""

    rows: int
    scores: int
    anomalies: int
    rejected: dict[str, int] = field(default_factory=dict)
    """Records of a file that are no readings of the site, by reason: the stream's dead letters."""


def score(
    site: Site,
    chosen: Chosen,
    *,
    file: Path | None = None,
    source: str | None = None,
    version: str = "champion",
    scores_to: Path | None = None,
    anomalies_to: Path | None = None,
    on_anomaly: Callable[[dict[str, Any]], None] = lambda _: None,
    progress: Progress = SILENT,
) -> Scored:
    """Score history, or a file, and write the records as JSON lines, asset after asset, each in time order.

    `on_anomaly` hears each anomaly record too. Raises EugenieError: no such model version, it does not fit the site, a
    file cannot be read or written.
    """
    part = site.model_copy(update={"assets": {name: site.assets[name] for name in chosen.assets}})
    counts: Counter[str] = Counter()
    with ExitStack() as opened:
        rejected: Counter[str] = Counter()
        history = open_history(site)
        if file is not None:
            read = opened.enter_context(history_of_file(site, file, source, progress))
            history, rejected = read.history, read.rejected
        write_score = opened.enter_context(_lines(scores_to))
        write_anomaly = opened.enter_context(_lines(anomalies_to))
        for class_name in dict.fromkeys(asset.class_name for asset in part.assets.values()):
            found = backtest(
                part, class_name, version=version, start_ms=chosen.start_ms, end_ms=chosen.end_ms, history=history,
                progress=progress,
            )  # fmt: skip
            for one in found:
                for line, is_scored in _score_records(site, history, one):
                    counts["rows"] += 1
                    counts["scores"] += is_scored
                    write_score(line)
                for record in one.anomalies:
                    counts["anomalies"] += 1
                    write_anomaly(dumps(record))
                    on_anomaly(record)
    return Scored(counts["rows"], counts["scores"], counts["anomalies"], dict(rejected))


def _score_records(site: Site, history: History, one: Backtest) -> Iterator[tuple[bytes, bool]]:
    """A record for each row that a reading fell into or that has a score, and whether it has."""
    if not len(one.edges):
        return
    class_name = site.assets[one.asset].class_name
    good, bad = _readings(site, history, one)
    write = ScoreFormatter(site.site, class_name, class_name)
    scored = ~np.isnan(one.score)
    for place in np.flatnonzero(scored | (good > 0) | (bad > 0)):
        is_scored = bool(scored[place])
        version = one.version if is_scored else None
        edge, value = int(one.edges[place]), float(one.score[place])
        yield write(one.asset, edge, value, int(good[place]), int(bad[place]), version), is_scored


def _readings(site: Site, history: History, one: Backtest) -> tuple[np.ndarray, np.ndarray]:
    """Good and bad readings that each row took in, int64 [T] each. Repeated readings are one in history."""
    equipment = site.classes[site.assets[one.asset].class_name]
    step = equipment.step
    first, last = int(one.edges[0]), int(one.edges[-1])
    readings = history.read(one.asset, first - step + 1, last + 1, limits_by_name(equipment))
    index = {name: place for place, name in enumerate(equipment.sensor_names)}
    lookup = np.array([index.get(name, -1) for name in readings.names], np.int32)
    sensor = lookup[readings.sensor] if len(readings.sensor) else np.zeros(0, np.int32)
    known = sensor >= 0
    row = (-(-readings.ts[known] // step) * step - first) // step
    is_bad = np.isnan(readings.value[known])
    return (
        np.bincount(row[~is_bad], minlength=len(one.edges)),
        np.bincount(row[is_bad], minlength=len(one.edges)),
    )


@contextmanager
def _lines(path: Path | None) -> Iterator[Write]:
    """Writes lines to a file that appears, whole, when the block ends well. None: nowhere."""
    if path is None:
        yield lambda _: None
        return
    with ExitStack() as closing:
        try:
            stream = closing.enter_context(replacing(path))
        except OSError as error:
            raise EugenieError(f"cannot write {path}: {error.strerror}", "choose another file") from error
        yield lambda record: stream.write(record + b"\n")
