"""The scoring graph of `type: minlstm` compared with that of `type: lstm`, on long segments and on live windows.

Both are trained briefly on the same plant with the same settings, and run in turns in this process, one thread at a
time. What counts is CPU time.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.common import report
from benchmarks.common.plant import ALIKE, CLASS, STEP_MS, WINDOW, Plant
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from eugenie_cli.detection.scoring import ScoringModule

TYPES = ("minlstm", "lstm")
ROWS = 1_200
"""Rows of history for each asset."""

SEGMENT_ROWS = 256
"""Rows of a segment: the model server runs at most as many windows at once."""

LIVE_ASSETS = 128
"""Assets with one new row each in a call of live data."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.backtest", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of each measurement")
    parser.add_argument("--units", type=int, default=32, help="units of the memory, of both types")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _one_thread()
    progress = Console()
    graphs = {kind: graph_of(kind, options.units, progress) for kind in TYPES}
    report.finish("backtest", measured(graphs, options.seconds, progress))


def _one_thread() -> None:
    """Must be called before anything runs a graph in this process: it cannot be changed afterwards."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def graph_of(kind: str, units: int, progress: Console) -> ScoringModule:
    """The scoring graph of a detector of this type, fitted for an epoch: its speed does not depend on its weights."""
    from eugenie_cli.detection.scoring import ScoringModule
    from eugenie_cli.history.grid import Grid
    from eugenie_cli.site.schema import Site
    from eugenie_cli.training import datasets
    from eugenie_cli.training.build import build
    from eugenie_cli.training.fit import FitOptions

    plant = Plant(ALIKE)
    document = plant.site(Path()).model_dump(mode="json", include={"site", "classes", "assets"})
    document["classes"][CLASS]["model"] |= {"type": kind, "units": units}
    equipment = Site.model_validate(document).classes[CLASS]
    history = plant.values(-ROWS, ROWS).astype(np.float32)
    edges = STEP_MS * np.arange(-ROWS, 0, dtype=np.int64)
    grids = [
        datasets.split(Grid(name, edges, history[:, number]), np.ones(ROWS, bool), equipment.model.calibration)
        for number, name in enumerate(plant.names)
    ]
    return ScoringModule(build(CLASS, equipment, grids, progress, FitOptions(epochs=1)).detector)


def measured(graphs: Mapping[str, ScoringModule], seconds: float, progress: Console) -> dict[str, float]:
    """Rows per CPU second of each graph, and their ratios: segments, live windows, and a single window."""
    import tensorflow as tf

    figures: dict[str, float] = {}
    for name, count, rows in (
        ("", 1, SEGMENT_ROWS),
        ("live_", LIVE_ASSETS, 1),
        ("single_", 1, 1),
    ):
        values = segments(count, rows + WINDOW - 1)
        assets = tf.constant([Plant(ALIKE).names[number % ALIKE] for number in range(count)])
        runs = {
            kind: lambda graph=graph, assets=assets, values=values: graph.serving_default(assets, values)
            for kind, graph in graphs.items()
        }
        taken = in_turns(runs, seconds)
        ours, theirs = (count * rows / taken[kind] for kind in TYPES)
        figures |= {
            f"{name}rows_per_s": ours,
            f"{name}lstm_rows_per_s": theirs,
            f"{name}ratio_to_lstm_graph": ours / theirs,
        }
        progress.say(f"{count} x {rows} rows: {ours:,.0f} rows/s, LSTM {theirs:,.0f}, {ours / theirs:.2f}x")
    return figures


def segments(count: int, length: int) -> np.ndarray:
    """float32 [count, length, S]: rows of the plant's first assets, in engineering units."""
    values = Plant(ALIKE).values(0, length).astype(np.float32)
    return np.ascontiguousarray(values[:, np.arange(count) % ALIKE].transpose(1, 0, 2))


def in_turns(runs: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """CPU seconds of a run of each, in turns of some tenths of a second; the median of all turns."""
    lengths = {}
    for name, run in runs.items():
        run()
        began = time.process_time()
        run()
        lengths[name] = max(1, int(0.2 / max(time.process_time() - began, 1e-4)))
    turns: dict[str, list[float]] = {name: [] for name in runs}
    until = time.monotonic() + seconds
    while time.monotonic() < until or not all(turns.values()):
        for name, run in runs.items():
            began = time.process_time()
            for _ in range(lengths[name]):
                run()
            turns[name].append((time.process_time() - began) / lengths[name])
    return {name: float(np.median(of_run)) for name, of_run in turns.items()}


if __name__ == "__main__":
    main()
