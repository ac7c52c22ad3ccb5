"""Imports samples as proposed, in memory: what a proposal reads is shown before anything is written."""

from __future__ import annotations

import glob
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.assessment.rhythm import Rhythm, suggestion
from eugenie_cli.history.batch import Batch
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.csv.importer import CsvImporter
from eugenie_cli.sources.files.compression import without_compression
from eugenie_cli.sources.interface import Tally, importer_for
from eugenie_cli.sources.look.csv_files import FileLook
from eugenie_cli.sources.two_zones import in_two_zones

SHOWN = 3
"""Readings and rejections shown of each source."""
MOST_READINGS = 1_000_000
"""Readings of a file that are imported to try a proposal."""
FEW_INTERVALS = 2


@dataclass
class Trial:
    """What importing some files as proposed gave. `first`: (asset, sensor, ts ms, value or None); `rejected`: reason ->
    count; `repeated`: readings with the sensor and instant of another; `unread`: columns that gave nothing; `errors`:
    file -> why it could not be read; `rhythms`: asset -> sensor -> its intervals; `partly`: the end was not read;
    `zones`: why assets of a file may be in two time zones.
    """

    rows: int = 0
    readings: int = 0
    bad: int = 0
    lost: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    first: list[tuple[str, str, int, float | None]] = field(default_factory=list)
    repeated: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    start_ms: int | None = None
    end_ms: int | None = None
    rhythms: dict[str, dict[str, Rhythm]] = field(default_factory=dict)
    partly: bool = False
    zones: list[str] = field(default_factory=list)


def try_source(site: Site, name: str, files: Sequence[FileLook], scratch: Path) -> Trial:
    """Import the samples of files by the source `name` of a site, in memory."""
    trial = Trial()
    source = next(source for source in site.sources if source.name == name)
    instants: dict[tuple[str, str], list[NDArray[np.int64]]] = defaultdict(list)
    for number, look in enumerate(files):
        path = _sampled(look, scratch / name / str(number))
        one = source.model_copy(update={"path": glob.escape(str(path))})
        try:
            _read(importer_for(one, site), trial, instants)
        except EugenieError as error:
            trial.errors[str(look.path)] = f"{error.reason} (next: {error.hint})" if error.hint else error.reason
    for (asset, sensor), parts in instants.items():
        together = np.concatenate(parts)
        steps = np.diff(np.unique(together))
        trial.repeated += len(together) - len(steps) - 1
        if len(steps) >= FEW_INTERVALS:
            figures = np.percentile(steps, (50, 95, 99), method="lower").tolist()
            trial.rhythms.setdefault(asset, {})[sensor] = Rhythm(*map(int, figures))
    return trial


def _sampled(look: FileLook, folder: Path) -> Path:
    """The file itself, or a copy of its sample with the same name and folder."""
    if look.sample is None or not look.sample.said:
        return look.path if look.path.is_absolute() else Path.cwd() / look.path
    copy = folder / look.path.parent.name / without_compression(look.path).name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(look.sample.data)
    return copy


def _read(importer: Any, trial: Trial, instants: dict[tuple[str, str], list[NDArray[np.int64]]]) -> None:
    for item in importer.items():
        tally, count, spans = Tally(), 0, dict[str, tuple[int, int]]()
        for batch in importer.read(item, tally, lambda _: None):
            count += len(batch.ts)
            trial.bad += int(np.isnan(batch.value).sum())
            _take(batch, trial, instants)
            _extend(spans, batch)
            if count >= MOST_READINGS and not isinstance(importer, CsvImporter):
                trial.partly = True
                break
        trial.readings += count
        if tally.local and (zones := in_two_zones(spans)) is not None:
            trial.zones.append(zones)
        trial.rows += tally.records
        trial.lost += tally.lost
        trial.rejected.update(tally.rejected)
        for reason, examples in tally.examples.items():
            trial.examples += [f"{reason}: {example}" for example in examples[:1]]
        trial.unread |= tally.companions
        trial.unread |= dict.fromkeys(tally.unknown_columns, "unknown")


def _take(batch: Any, trial: Trial, instants: dict[tuple[str, str], list[NDArray[np.int64]]]) -> None:
    if not len(batch.ts):
        return
    low, high = int(batch.ts.min()), int(batch.ts.max())
    trial.start_ms = low if trial.start_ms is None else min(low, trial.start_ms)
    trial.end_ms = high if trial.end_ms is None else max(high, trial.end_ms)
    for place in range(min(SHOWN - len(trial.first), len(batch.ts))):
        value = float(batch.value[place])
        asset, sensor = batch.series[int(batch.index[place])]
        trial.first.append((asset, sensor, int(batch.ts[place]), None if math.isnan(value) else value))
    order = np.argsort(batch.index, kind="stable")
    bounds = np.searchsorted(batch.index[order], np.arange(len(batch.series) + 1))
    for number, series in enumerate(batch.series):
        part = batch.ts[order[bounds[number] : bounds[number + 1]]]
        if len(part):
            instants[series].append(part)


def _extend(spans: dict[str, tuple[int, int]], batch: Batch) -> None:
    """Add a batch to the first and last instant of each asset."""
    for number, (asset, _) in enumerate(batch.series):
        if len(ts := batch.ts[batch.index == number]):
            first, last = spans.get(asset, (int(ts.min()), int(ts.max())))
            spans[asset] = min(first, int(ts.min())), max(last, int(ts.max()))


def step_and_gap(trials: Sequence[Trial], assets: Sequence[str]) -> tuple[int, int] | None:
    """(step, max_gap), ms, that suit the readings of assets; None if there are too few."""
    of_sensor: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for trial in trials:
        for asset in assets:
            for sensor, rhythm in trial.rhythms.get(asset, {}).items():
                of_sensor[sensor].append((rhythm.period, rhythm.late, rhythm.usual_gap))
    if not of_sensor:
        return None
    typical = {sensor: Rhythm(*(int(v) for v in np.median(found, axis=0))) for sensor, found in of_sensor.items()}
    return suggestion(typical)
