"""Geometry of the pictures. A drawing is 1000 wide and 100 high, and the page stretches it to the available space;
labels are text beside the drawing, positioned in per cent, so they stay readable at every width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from eugenie_cli.detection.arrays import Floats, runs
from eugenie_cli.detection.metrics.alarm_load import Span

WIDTH, HEIGHT = 1000.0, 100.0
LOG_FROM = 6.0
"""Peak score from which the scale is logarithmic, because the threshold would otherwise be invisible."""
LABEL_PERCENT = 16.0
"""Height of a line of text, in per cent of a picture's height."""
LEAST_SCORE = 0.1
"""Lower end of a logarithmic scale."""


class Shape(NamedTuple):
    """A path and its class in the style sheet; `title` is shown as a tooltip."""

    kind: str
    path: str
    title: str = ""


class Label(NamedTuple):
    """A text at a position on an axis, in per cent; `at` is "start" or "end" at the edges of the picture."""

    percent: float
    text: str
    at: str = "middle"


@dataclass(frozen=True)
class Chart:
    """Shapes in drawing order, labels below and on the left, and a sentence for screen readers."""

    description: str
    shapes: tuple[Shape, ...]
    below: tuple[Label, ...] = ()
    left: tuple[Label, ...] = ()
    kind: str = ""
    name: str = field(default="")


Scale = Callable[[Floats], Floats]
"""Values [n] -> heights [n] from the top, 0 to HEIGHT; NaN stays NaN."""


def linear(low: float, high: float) -> Scale:
    """A scale from `low` at the bottom to `high` at the top; a single value is drawn in the middle."""
    spread = high - low
    if not spread > 0:
        low, spread = low - 0.5, 1.0
    return lambda values: HEIGHT * (1 - (np.clip(values, low, low + spread) - low) / spread)


def score_scale(peak: float) -> tuple[Scale, tuple[Label, ...], bool]:
    """A scale for scores up to `peak`, labels for the threshold and the top, and whether it is logarithmic."""
    top = max(1.6, peak * 1.06)
    logarithmic = peak >= LOG_FROM
    if logarithmic:
        in_logs = linear(math.log(LEAST_SCORE), math.log(top))
        scale: Scale = lambda values: in_logs(np.log(np.maximum(values, LEAST_SCORE)))  # noqa: E731
    else:
        scale = linear(0.0, top)
    threshold = float(scale(np.array([1.0]))[0])
    return scale, spaced([Label(threshold, "1"), Label(0.0, f"{top:.3g}", "start")]), logarithmic


def spaced(labels: Sequence[Label]) -> tuple[Label, ...]:
    """The labels, in order of priority, that do not come too close to one already kept."""
    kept: list[Label] = []
    for label in labels:
        if all(abs(label.percent - other.percent) >= LABEL_PERCENT for other in kept):
            kept.append(label)
    return tuple(kept)


def xs(count: int) -> Floats:
    """x coordinates of `count` evenly spaced points."""
    return (np.arange(count) + 0.5) * (WIDTH / max(count, 1))


def line(x: Floats, y: Floats) -> str:
    """A path through the points, broken where y is NaN; a single point becomes a short stroke."""
    parts: list[str] = []
    for first, last in runs(~np.isnan(y)):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[first:last], y[first:last], strict=True))
        parts.append(f"M{points}" if last - first > 1 else f"M{x[first] - 1:.1f},{y[first]:.1f}h2")
    return "".join(parts)


def band(x: Floats, top: Floats, bottom: Floats) -> str:
    """The area between two lines."""
    parts: list[str] = []
    for first, last in runs(~np.isnan(top) & ~np.isnan(bottom)):
        upper = [f"{a:.1f},{b:.1f}" for a, b in zip(x[first:last], top[first:last], strict=True)]
        lower = [f"{a:.1f},{b:.1f}" for a, b in zip(x[first:last][::-1], bottom[first:last][::-1], strict=True)]
        if last - first == 1:
            upper, lower = [f"{x[first] - 1:.1f},{top[first]:.1f}"], [f"{x[first] + 1:.1f},{bottom[first]:.1f}"]
        parts.append("M" + " ".join(upper + lower) + "Z")
    return "".join(parts)


def box(left: float, right: float, top: float = 0.0, bottom: float = HEIGHT) -> str:
    """A rectangle, at least a visible sliver wide."""
    right = max(right, left + 1.5)
    return f"M{left:.1f},{top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"


def across(y: float) -> str:
    """A horizontal line across the drawing."""
    return f"M0,{y:.1f}H{WIDTH:.0f}"


class Axis(NamedTuple):
    """A time axis from `start` to `end`, ms, across the width of the drawing."""

    start: int
    end: int

    def x(self, ms: float) -> float:
        return WIDTH * (ms - self.start) / max(self.end - self.start, 1)

    def boxes(self, spans: Sequence[Span], top: float = 0.0, bottom: float = HEIGHT) -> str:
        """Rectangles over the spans."""
        return "".join(box(self.x(first), self.x(last), top, bottom) for first, last in spans)

    def ticks(self, text: Callable[[int], str], count: int = 4) -> tuple[Label, ...]:
        """Evenly spaced labels; the first and the last stay inside the picture."""
        labels = []
        for number in range(count):
            ms = self.start + round((self.end - self.start) * number / (count - 1))
            at = "start" if number == 0 else "end" if number == count - 1 else "middle"
            labels.append(Label(100 * number / (count - 1), text(ms), at))
        return tuple(labels)
