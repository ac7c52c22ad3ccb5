"""The pictures of a report: an event with its sensors, an asset's score at a glance, the class over time."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.metrics.alarm_load import ACCEPTABLE_PER_HOUR, HOUR_MS, MANAGEABLE_PER_HOUR
from eugenie_cli.evaluation.downsampling import Strand, Trace
from eugenie_cli.evaluation.findings import Timeline
from eugenie_cli.evaluation.page import svg
from eugenie_cli.evaluation.page.formatting import Clock, counted, duration, number, pair, percent, quantity
from eugenie_cli.evaluation.page.svg import HEIGHT, WIDTH, Axis, Chart, Label, Shape

ALARM_STRIP = 93.0
"""Top of the strip below a score that shows when the alarm was on."""


MOST_PER_HOUR = 48.0
"""Upper end of the scale of alarms per hour, which keeps its benchmarks apart; higher rates fill the scale."""


def score_chart(trace: Trace, clock: Clock) -> Chart:
    """The score of an event with its threshold, the labelled time and the time in alarm."""
    axis = Axis(trace.start, trace.end)
    peak = _largest(trace.score)
    scale, left, logarithmic = svg.score_scale(_highest(trace))
    y = scale(trace.score) * ALARM_STRIP / HEIGHT
    threshold = float(scale(np.array([1.0]))[0]) * ALARM_STRIP / HEIGHT
    shapes = [
        Shape("labelled", axis.boxes(trace.labelled), "labelled as a fault"),
        Shape("alarm", axis.boxes(trace.alarms, ALARM_STRIP), "alarm on"),
        Shape("limit", svg.across(threshold), "threshold"),
        *_beside(trace, scale, ALARM_STRIP / HEIGHT),
        Shape("score", svg.line(svg.xs(len(y)), y), "score"),
    ]
    description = (
        f"Score of {trace.asset} from {clock.second(trace.start)} to {clock.second(trace.end)}: "
        f"{'at most ' + quantity(peak) if peak is not None else 'no row was scored'}, threshold 1, "
        f"{counted(len(trace.alarms), 'alarm')}{', logarithmic scale' if logarithmic else ''}{_beside_text(trace)}."
    )
    below = axis.ticks(clock.for_span(trace.start, trace.end), 3)
    moved = tuple(label._replace(percent=label.percent * ALARM_STRIP / HEIGHT) for label in left)
    return Chart(description, _drawn(shapes), below, moved, "tall", "score, log" if logarithmic else "score")


def strand_chart(strand: Strand, trace: Trace) -> Chart:
    """A sensor against its forecast."""
    axis = Axis(trace.start, trace.end)
    low, high = _range(strand.low, strand.high, strand.expected)
    scale = svg.linear(low, high)
    x = svg.xs(len(strand.low))
    shapes = [
        Shape("labelled", axis.boxes(trace.labelled)),
        Shape("value", svg.band(x, scale(strand.high), scale(strand.low)), f"{strand.sensor}, measured"),
        Shape("forecast", svg.line(x, scale(strand.expected)), f"{strand.sensor}, forecast"),
    ]
    description = (
        f"{strand.sensor}, measured and forecast, between {quantity(low)} and {quantity(high)} {strand.unit}; "
        f"it carries {percent(strand.contribution, 0)} of the score."
    )
    bottom, top = pair(low, high)
    left = (Label(0, top, "start"), Label(100, bottom, "end"))
    return Chart(description, _drawn(shapes), (), left, "low", strand.sensor)


def overview_chart(trace: Trace, clock: Clock) -> Chart:
    """An asset's score in the height of a line of text."""
    axis = Axis(trace.start, trace.end)
    peak = _largest(trace.score)
    scale, _, _ = svg.score_scale(_highest(trace))
    y = scale(trace.score)
    shapes = [
        Shape("labelled", axis.boxes(trace.labelled)),
        Shape("alarm", axis.boxes(trace.alarms, 88.0)),
        Shape("limit", svg.across(float(scale(np.array([1.0]))[0]))),
        *_beside(trace, scale, 1.0),
        Shape("score", svg.line(svg.xs(len(y)), y)),
    ]
    description = (
        f"Score of {trace.asset} from {clock.minute(trace.start)} to {clock.minute(trace.end)}, at most "
        f"{'unknown' if peak is None else quantity(peak)}, {counted(len(trace.alarms), 'alarm')}{_beside_text(trace)}."
    )
    return Chart(description, _drawn(shapes), kind="spark")


def _highest(trace: Trace) -> float:
    """The highest score of both versions, which share a scale."""
    return max(_largest(scores) or 0.0 for scores in (trace.score, trace.beside) if scores is not None)


def _beside(trace: Trace, scale: svg.Scale, height: float) -> list[Shape]:
    """The other version's score, if it was judged too."""
    if trace.beside is None:
        return []
    line = svg.line(svg.xs(len(trace.beside)), scale(trace.beside) * height)
    return [Shape("beside", line, "score of the other version")]


def _beside_text(trace: Trace) -> str:
    if trace.beside is None:
        return ""
    peak = _largest(trace.beside)
    return f"; the other version's {'at most ' + quantity(peak) if peak is not None else 'is unknown'}"


def load_chart(timeline: Timeline, clock: Clock, labelled: bool) -> Chart:
    """Alarms by interval, with the number that an operator can handle in that time."""
    alarms, false = timeline.counts[:, 4], timeline.counts[:, 5]
    acceptable, manageable = (
        rate * timeline.interval_ms / HOUR_MS for rate in (ACCEPTABLE_PER_HOUR, MANAGEABLE_PER_HOUR)
    )
    top = max(float(alarms.max(initial=0)), manageable) * 1.08
    scale = svg.linear(0, top)
    axis = _axis(timeline)
    right = alarms - false if labelled else alarms
    shapes = [Shape("observed", axis.boxes(_spans(timeline), 97.0), "observed")]
    for at, right_count, false_count in zip(timeline.start.tolist(), right.tolist(), false.tolist(), strict=True):
        left, end = axis.x(at) + 1, axis.x(at + timeline.interval_ms) - 1
        foot, middle, head = (
            float(scale(np.array([float(value)]))[0]) for value in (0, right_count, right_count + false_count)
        )
        when = clock.minute(at)
        if right_count:
            tooltip = (
                counted(right_count, "alarm during a fault", "alarms during faults")
                if labelled
                else counted(right_count, "alarm")
            )
            shapes.append(Shape("right", svg.box(left, end, middle, foot), f"{when}: {tooltip}"))
        if false_count:
            shapes.append(
                Shape("wrong", svg.box(left, end, head, middle), f"{when}: {counted(false_count, 'false alarm')}")
            )
    heights = [float(scale(np.array([rate]))[0]) for rate in (acceptable, manageable)]
    shapes += [Shape("limit", svg.across(y)) for y in heights]
    every = duration(timeline.interval_ms / 1000)
    most = int(alarms.max(initial=0))
    left_labels = svg.spaced([
        Label(100, "0", "end"),
        Label(float(scale(np.array([float(most)]))[0]), str(most)),
        Label(heights[1], f"{manageable:.3g}"),
        Label(heights[0], f"{acceptable:.3g}"),
    ])  # fmt: skip
    description = f"Alarms in each interval of {every}, at most {counted(most, 'alarm')}."
    below = axis.ticks(clock.for_span(axis.start, axis.end), 3)
    return Chart(description, _drawn(shapes), below, left_labels, "tall", f"alarms in {every}")


def flagged_chart(timeline: Timeline, clock: Clock, budget: float) -> Chart:
    """The share of rows above 1 by interval."""
    rows, flagged = timeline.counts[:, 0], timeline.counts[:, 2]
    share = flagged / np.maximum(rows, 1)
    top = max(float(share.max(initial=0.0)), 2 * budget)
    scale = svg.linear(0, top)
    axis = _axis(timeline)
    shapes = [
        Shape(
            "flagged",
            svg.box(axis.x(at) + 1, axis.x(at + timeline.interval_ms) - 1, y, HEIGHT),
            f"{clock.minute(at)}: {percent(fraction)} of {total:,} rows",
        )
        for at, y, fraction, total in zip(
            timeline.start.tolist(), scale(share).tolist(), share.tolist(), rows.tolist(), strict=True
        )
        if fraction
    ]
    shapes.append(Shape("limit", svg.across(float(scale(np.array([budget]))[0])), "the alarm budget"))
    left = (Label(0, percent(top, 0 if top > 0.1 else 1), "start"), Label(100, "0", "end"))
    description = f"Share of rows above 1 in each interval, at most {percent(float(share.max(initial=0.0)))}."
    return Chart(
        description, _drawn(shapes), axis.ticks(clock.for_span(axis.start, axis.end), 3), left, "low", "rows above 1"
    )


def rate_chart(per_hour: float) -> Chart:
    """Alarms per hour on a scale with the two benchmarks."""
    top = min(max(1.5 * MANAGEABLE_PER_HOUR, per_hour * 1.05), MOST_PER_HOUR)
    first, second = (WIDTH * rate / top for rate in (ACCEPTABLE_PER_HOUR, MANAGEABLE_PER_HOUR))
    shapes = (
        Shape("good", svg.box(0, first)),
        Shape("fair", svg.box(first, second)),
        Shape("poor", svg.box(second, WIDTH)),
        Shape("mark", svg.box(0, WIDTH * min(per_hour / top, 1.0), 32, 68), f"{per_hour:.1f} an hour"),
    )
    below = (
        Label(0, "0", "start"),
        Label(100 * ACCEPTABLE_PER_HOUR / top, f"{ACCEPTABLE_PER_HOUR:.0f}"),
        Label(100 * MANAGEABLE_PER_HOUR / top, f"{MANAGEABLE_PER_HOUR:.0f}"),
    )
    return Chart(
        f"{number(per_hour)} alarms an hour; 6 are acceptable, 12 are manageable at most.", shapes, below, kind="bullet"
    )


def _axis(timeline: Timeline) -> Axis:
    if not len(timeline.start):
        return Axis(0, timeline.interval_ms)
    return Axis(int(timeline.start[0]), int(timeline.start[-1]) + timeline.interval_ms)


def _spans(timeline: Timeline) -> list[tuple[int, int]]:
    return [(start, start + timeline.interval_ms) for start in timeline.start.tolist()]


def _largest(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else None


def _range(*parts: Floats) -> tuple[float, float]:
    values = np.concatenate(parts)
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def _drawn(shapes: list[Shape]) -> tuple[Shape, ...]:
    """The shapes that are not empty."""
    return tuple(shape for shape in shapes if shape.path)
