"""Loads a class's normal rows from the history, one stretch of time at a time: memory does not grow with history."""

from __future__ import annotations

import numpy as np

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.grid import MAX_CELLS, load_grid
from eugenie_cli.history.store import AssetSummary, History
from eugenie_cli.progress import Progress
from eugenie_cli.site.detectors import MIN_WINDOWS
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.schema import Fleet
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
    one window before its first normal period to the end of its last. None when no reading makes a row."""
    equipment = fleet.equipment
    step = equipment.step
    first, last = _span(fleet, summary)
    length = max(0, (last - first) // step + 1)
    if length * len(equipment.sensors) > MAX_CELLS:
        raise EugenieError(
            f"{summary.asset}: its readings span {length:,} rows, too many for a grid of {step} ms steps",
            "`eugenie history quality` shows stray readings; set normal periods or a longer step",
        )
    edges = arrays.array((length,), np.int64)
    rows = arrays.array((length, len(equipment.sensors)), np.float32)
    part = arrays.array((length,), np.int8)
    begin, end = length, 0
    whole = (summary.end_ms - summary.start_ms) // step + 1
    stretch = max(1, -(-whole * STRETCH_READINGS // max(1, summary.readings)))
    for start in range(0, length, stretch):
        stop = min(start + stretch, length)
        edges[start:stop] = first + step * np.arange(start, stop, dtype=np.int64)
        rows[start:stop] = np.nan
        part[start:stop] = datasets.UNUSED
        grid = load_grid(fleet, history, summary.asset, first + start * step, first + stop * step)
        if not len(grid.edges):
            continue
        place = int(grid.edges[0] - first) // step
        inside = slice(place, place + len(grid.edges))
        normal = datasets.normal_rows(fleet, grid)
        rows[inside] = np.where(normal[:, None], grid.rows, np.float32(np.nan))
        part[inside] = normal & np.isfinite(grid.rows).any(axis=1)
        begin, end = min(begin, place), max(end, inside.stop)
    if begin >= end:
        return None
    own = edges[begin:end], rows[begin:end], part[begin:end]
    doubts = datasets.repair(own[1], own[2], own[0], equipment.sensors)
    datasets.divide(own[2], equipment.model.calibration)
    return NormalGrid(summary.asset, *own, doubts)


def _span(fleet: Fleet, summary: AssetSummary) -> tuple[int, int]:
    """First and last edge to read, ms: all normal rows lie between them."""
    equipment = fleet.equipment
    first, last = summary.start_ms, summary.end_ms + equipment.max_gap
    periods = fleet.assets[summary.asset].normal
    if periods:  # a window may begin before its first normal row
        first = max(first, min(to_ms(period.start) for period in periods) - equipment.model.window * equipment.step)
        last = min(last, max(to_ms(period.end) for period in periods))
    return first // equipment.step * equipment.step, last
