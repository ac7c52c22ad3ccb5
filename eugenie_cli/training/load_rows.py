"""Loads a class's normal rows from the history, one stretch of time at a time: memory does not grow with history."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from eugenie_cli.detection.arrays import Ints
from eugenie_cli.detection.detectors.options import CHART_WINDOW
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.store import AssetSummary, History
from eugenie_cli.progress import Progress
from eugenie_cli.site.detectors import MIN_WINDOWS
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.schema import EquipmentClass, Fleet
from eugenie_cli.training import datasets
from eugenie_cli.training.datasets import NormalGrid
from eugenie_cli.training.mmap_arrays import Memory

# Readings that are aligned at once. Sorting takes about a hundred bytes per reading.
STRETCH_READINGS = 500_000


def normal_grids(fleet: Fleet, history: History, arrays: Memory, progress: Progress) -> list[NormalGrid]:
    """The rows of every asset of the class with enough normal rows, divided into parts.

    Raises EugenieError when no asset has enough.
    """
    class_name, equipment, assets = fleet.name, fleet.equipment, fleet.assets
    summaries = {summary.asset: summary for summary in history.summary()}
    grids: list[NormalGrid] = []
    short: list[str] = []
    with progress.task(f"read {class_name}", total=len(assets), unit="assets") as advance:
        for asset in assets:
            normal = normal_grid(fleet, history, summaries[asset], arrays) if asset in summaries else None
            if normal is not None and normal.used >= equipment.model.least_rows:
                grids.append(normal)
            else:
                short.append(asset)
            arrays.release()
            advance(1)
    if not grids:
        raise EugenieError(
            f"class {class_name}: no asset has {MIN_WINDOWS} windows "
            f"({equipment.model.least_rows} rows) of normal history",
            "import more history with `eugenie import`; check the assets' normal periods and the exclusions",
        )
    if short:
        progress.say(f"{class_name}: left out for too little normal history: {', '.join(short)}")
    for grid in grids:
        for message in grid.doubts:
            progress.say(f"{class_name}: {grid.asset}: {message}")
    progress.say(f"{class_name}: {sum(grid.used for grid in grids):,} normal rows of {len(grids)} assets")
    return grids


def normal_grid(fleet: Fleet, history: History, summary: AssetSummary, arrays: Memory) -> NormalGrid | None:
    """An asset's normal rows, equal to those of `history.grid.load_grid` over the whole time, divided into parts; from
    one window before the first of them to the last. Of a longer pause between them, only the first row and those that
    a window needs are kept. None when no reading makes a normal row."""
    equipment = fleet.equipment
    step, pause = equipment.step, _pause_rows(equipment)
    edges, part = arrays.growing((), np.int64), arrays.growing((), np.int8)
    rows = arrays.growing((len(equipment.sensors),), np.float32)
    first = previous = None
    for start, stop in pairwise(_stretches(history, fleet, summary)):
        grid = load_grid(fleet, history, summary.asset, start, stop, gap_rows=0)
        used = np.flatnonzero(datasets.normal_rows(fleet, grid) & np.isfinite(grid.rows).any(axis=1))
        first = int(grid.edges[0]) if first is None and len(grid.edges) else first
        if not len(used) or first is None:
            continue
        if previous is None:  # a window may begin before the first normal row, but not before the first row
            previous = max(first, int(grid.edges[used[0]]) - pause * step) - step
        own_edges, places = _with_pauses(previous, grid.edges[used], step, pause)
        own_rows = np.full((len(own_edges), grid.rows.shape[1]), np.nan, np.float32)
        own_part = np.full(len(own_edges), datasets.UNUSED, np.int8)
        own_rows[places], own_part[places] = grid.rows[used], datasets.TRAINING
        edges.append(own_edges)
        rows.append(own_rows)
        part.append(own_part)
        previous = int(grid.edges[used[-1]])
    if previous is None:
        return None
    normal = NormalGrid(summary.asset, edges.finished(), rows.finished(), part.finished())
    doubts = datasets.repair(normal.rows, normal.part, normal.edges, equipment.sensors)
    datasets.divide(normal.part, equipment.model.calibration)
    return replace(normal, doubts=doubts)


def _with_pauses(previous: int, used: Ints, step: int, pause: int) -> tuple[Ints, Ints]:
    """The edges of the usable rows `used` int64 [n] with those between them since the edge `previous`, int64 [m], and
    the places of the usable ones, [n]. Of more than `pause + 1` edges between, the first and the last `pause` are kept.
    """
    before = np.concatenate([[previous], used[:-1]])
    between = (used - before) // step - 1
    kept = np.minimum(between, pause + 1)
    places = np.cumsum(kept + 1) - 1
    edges = np.repeat(used, kept + 1) - step * (np.repeat(places, kept + 1) - np.arange(places[-1] + 1))
    shortened = between > kept
    edges[(places - kept)[shortened]] = before[shortened] + step
    return edges, places


def _pause_rows(equipment: EquipmentClass) -> int:
    """Rows of a pause that windows of the class's model and of the baselines, or targets after them, may reach; and
    enough for it to remain a silence of the alarm."""
    model, silence = equipment.model, equipment.silence_ms // equipment.step + 1
    return max(model.window, CHART_WINDOW, silence, *getattr(model, "horizons", ()))


def _stretches(history: History, fleet: Fleet, summary: AssetSummary) -> Ints:
    """Edges between which an asset's readings are read at once: about `STRETCH_READINGS` each, as far as the parts of
    the history tell, whose readings need not be spread evenly."""
    first, last = _span(fleet, summary)
    step = fleet.equipment.step
    spans = [placed.part.assets[summary.asset] for placed in history.snapshot().by_asset[summary.asset]]
    count, start, end = np.array(spans, np.float64).T
    change = count / (end + 1 - start)
    borders, changes = np.concatenate([start, end + 1]), np.concatenate([change, -change])
    order = np.argsort(borders, kind="stable")
    instants, density = borders[order], np.cumsum(changes[order])[:-1]
    readings = np.concatenate([[0.0], np.cumsum(density * np.diff(instants))])
    before, until = np.interp([first, last], instants, readings).tolist()
    reached = np.linspace(before, until, max(1, math.ceil((until - before) / STRETCH_READINGS)) + 1)[1:-1]
    between = np.interp(reached, readings, instants).astype(np.int64) // step * step
    return np.unique(np.concatenate([[first], between[(between > first) & (between < last)], [last + 1]]))


def _span(fleet: Fleet, summary: AssetSummary) -> tuple[int, int]:
    """First and last edge to read, ms: all normal rows lie between them."""
    equipment = fleet.equipment
    first, last = summary.start_ms, summary.end_ms + equipment.max_gap
    periods = fleet.assets[summary.asset].normal
    if periods:  # a window may begin before its first normal row
        first = max(first, min(to_ms(period.start) for period in periods) - equipment.model.window * equipment.step)
        last = min(last, max(to_ms(period.end) for period in periods))
    return first // equipment.step * equipment.step, max(first, last)
