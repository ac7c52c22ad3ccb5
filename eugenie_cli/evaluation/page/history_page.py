"""The page of `eugenie history quality`: grades, findings, and plots of the assets that need most attention.

It shares its style and its drawings with the report of an evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.page import svg
from eugenie_cli.evaluation.page.formatting import Clock, count, counted, duration, pair, percent, quantity
from eugenie_cli.evaluation.page.render import environment, style
from eugenie_cli.evaluation.page.svg import Axis, Chart, Label, Shape
from eugenie_cli.files import write_atomically
from eugenie_cli.history.assessment.grades import WORST, worst_first
from eugenie_cli.history.batch import AssetReadings
from eugenie_cli.history.grid import limits_by_name
from eugenie_cli.history.quality import Quality, SensorQuality
from eugenie_cli.history.quality_tables import finding_lines, grade_rows
from eugenie_cli.history.store import History
from eugenie_cli.site.schema import EquipmentClass, Site

TEMPLATE = "history.html.j2"
# More make a page that no browser scrolls well.
PLOTTED_ASSETS, LISTED_ASSETS = 12, 1_000
BINS = 500
"""Points of a plot: about one for every two pixels."""

VERDICTS = {"ready": "good", "doubtful": "fair", "not enough": "poor", "no readings": "poor"}
SEVERITIES = {"serious": "poor", "doubtful": "fair", "note": "neutral"}
MARKS = {"good": "✓", "fair": "!", "poor": "✗", "neutral": "i"}


def write_page(site: Site, history: History, found: Quality, path: Path) -> None:
    """Write the page atomically, self-contained and without scripts. Raises EugenieError if it cannot be written."""
    clock = Clock(site.timezone)
    marks = worst_first(found.assets)
    plotted = [one for one in marks if one.readings][:PLOTTED_ASSETS]
    of_asset: dict[str, list[SensorQuality]] = {}
    for sensor in found.sensors:
        of_asset.setdefault(sensor.asset, []).append(sensor)
    pictures = [
        {
            "title": one.asset,
            "verdict": VERDICTS[one.grade],
            "badge": one.grade,
            "lines": one.why,
            "charts": list(_charts(history, site.classes[one.class_name], of_asset.get(one.asset, []), clock)),
        }
        for one in plotted
    ]
    text = environment().get_template(TEMPLATE).render(
        style=style(),
        site=site.site,
        timezone=site.timezone,
        made=clock.minute(int(datetime.now(timezone.utc).timestamp() * 1_000)),
        tiles=_tiles(found),
        findings=list(_sentences(found)),
        columns=("asset", "class", "grade", "rows", "needed", "readings", "from", "to", "complete"),
        rows=[*grade_rows(Quality(tuple(marks[:LISTED_ASSETS]), (), ()))],
        left_out=max(0, len(marks) - LISTED_ASSETS),
        pictures=pictures,
        assets=counted(len(marks), "asset"),
    )  # fmt: skip
    try:
        write_atomically(path, text, mode=0o644)
    except OSError as error:
        raise EugenieError(f"cannot write {path}: {error}", "choose another file with --report") from error


def _tiles(found: Quality) -> Iterator[dict[str, str]]:
    for mark in reversed(WORST):
        number = sum(one.grade == mark for one in found.assets)
        yield {"name": mark, "value": count(number), "verdict": VERDICTS[mark] if number else "neutral"}
    yield {"name": "readings", "value": count(sum(one.readings for one in found.assets)), "verdict": "neutral"}


def _sentences(found: Quality) -> Iterator[dict[str, str]]:
    for line in finding_lines(found.findings):
        severity, _, text = line.partition(": ")
        verdict = SEVERITIES[severity]
        yield {"verdict": verdict, "mark": MARKS[verdict], "severity": severity, "text": text}


def _charts(
    history: History, equipment: EquipmentClass, sensors: list[SensorQuality], clock: Clock
) -> Iterator[tuple[str, Chart]]:
    """(caption, plot) of each sensor with readings of an asset, on one axis of time."""
    held = [sensor for sensor in sensors if sensor.readings and sensor.start_ms is not None]
    if not held:
        return
    readings = history.read(held[0].asset, limits=limits_by_name(equipment))
    axis = Axis(min(one.start_ms or 0 for one in held), max(one.end_ms or 0 for one in held))
    units = {sensor.name: sensor.unit for sensor in equipment.sensors}
    for place, one in enumerate(held):
        unit = f" [{units[one.sensor]}]" if units[one.sensor] else ""
        caption = (
            f"{one.sensor}{unit}: {counted(one.readings, 'reading')}, "
            f"one every {duration((one.median_period_ms or 0) / 1_000)}, {percent(one.filled)} of the rows filled, "
            f"{percent(one.bad + one.out_of_range)} bad or impossible, {percent(one.flat)} flat, "
            f"{counted(one.conflicts, 'conflict')}"
        )
        yield caption, _chart(one, readings, axis, clock if place == len(held) - 1 else None)


def _chart(one: SensorQuality, readings: AssetReadings, axis: Axis, clock: Clock | None) -> Chart:
    own = readings.sensor == readings.names.index(one.sensor)
    low, middle, high = _binned(readings.ts[own], readings.value[own], axis)
    known = np.isfinite(low)
    if not known.any():
        return Chart(f"{one.sensor}: no good reading.", (), kind="low")
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    scale, x = svg.linear(bottom, top), svg.xs(BINS)
    shapes = (
        Shape("labelled", _holes(known), "no good reading"),
        Shape("value", svg.band(x, scale(high), scale(low)), "smallest to largest value"),
        Shape("forecast", svg.line(x, scale(middle)), "mean"),
    )
    words = pair(bottom, top)
    left = (Label(0, words[1], "start"), Label(100, words[0], "end"))
    below = axis.ticks(clock.for_span(axis.start, axis.end)) if clock is not None else ()
    text = (
        f"{one.asset} {one.sensor} between {quantity(bottom)} and {quantity(top)}, {percent(1 - known.mean())} empty."
    )
    return Chart(text, tuple(shape for shape in shapes if shape.path), below, left, "low", one.sensor)


def _binned(
    ts: NDArray[np.int64], value: NDArray[np.float64], axis: Axis
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Smallest, mean and largest good value in each of `BINS` stretches of time; NaN without one."""
    good = np.isfinite(value)
    ts, value = ts[good], value[good]
    place = np.minimum((ts - axis.start) * BINS // max(axis.end - axis.start, 1), BINS - 1)
    low, middle, high = (np.full(BINS, np.nan) for _ in range(3))
    if len(ts):
        first = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
        bins, sizes = place[first], np.diff(np.append(first, len(ts)))
        low[bins], high[bins] = np.minimum.reduceat(value, first), np.maximum.reduceat(value, first)
        middle[bins] = np.add.reduceat(value, first) / sizes
    return low, middle, high


def _holes(known: NDArray[np.bool_]) -> str:
    """Boxes over the stretches without a value."""
    width = svg.WIDTH / len(known)
    edges = np.flatnonzero(np.diff(np.concatenate(([1], known.astype(np.int8), [1]))))
    return "".join(svg.box(a * width, b * width) for a, b in edges.reshape(-1, 2).tolist())
