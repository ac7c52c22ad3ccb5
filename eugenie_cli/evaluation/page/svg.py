"""Geometry of the pictures. A drawing is 1000 wide and 100 high, and stretched by the page to the room that there is;
labels are text beside it, placed by per cent, so that they stay readable at every width.
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
"""A score that reaches so far is drawn on a logarithmic scale, else its threshold could not be seen."""
LABEL_PERCENT = 16.0
"""Of a picture's height: what a line of text needs."""
LEAST_SCORE = 0.1
"""What a logarithmic scale begins with."""


class Shape(NamedTuple):
    """A path and its class in the style sheet; `title` is what a pointer that rests on it reads."""

    kind: str
    path: str
    title: str = ""


class Label(NamedTuple):
    """A text at so many per cent of an axis; `at` is "start" or "end" where it would leave the picture."""

    percent: float
    text: str
    at: str = "middle"


@dataclass(frozen=True)
class Chart:
    """Shapes in drawing order, labels below and at the left, and a sentence for who cannot see it."""

    said: str
    shapes: tuple[Shape, ...]
    below: tuple[Label, ...] = ()
    left: tuple[Label, ...] = ()
    kind: str = ""
    name: str = field(default="")


Place = Callable[[Floats], Floats]
"""Values [n] -> heights [n] from the top, 0 to HEIGHT; NaN stays."""


def linear(low: float, high: float) -> Place:
    """A scale from `low` at the bottom to `high` at the top; a single value lies in the middle."""
    spread = high - low
    if not spread > 0:
        low, spread = low - 0.5, 1.0
    return lambda values: HEIGHT * (1 - (np.clip(values, low, low + spread) - low) / spread)


def score_scale(peak: float) -> tuple[Place, tuple[Label, ...], bool]:
    """A scale for scores up to `peak`, with the labels of the threshold and of the top; whether it is logarithmic."""
    top = max(1.6, peak * 1.06)
    logarithmic = peak >= LOG_FROM
    if logarithmic:
        in_logs = linear(math.log(LEAST_SCORE), math.log(top))
        place: Place = lambda values: in_logs(np.log(np.maximum(values, LEAST_SCORE)))  # noqa: E731
    else:
        place = linear(0.0, top)
    threshold = float(place(np.array([1.0]))[0])
    return place, spaced([Label(threshold, "1"), Label(0.0, f"{top:.3g}", "start")]), logarithmic


def spaced(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Those labels, the first ones first, that do not come too near to one that is there already."""
    kept: list[Label] = []
    for label in labels:
        if all(abs(label.percent - other.percent) >= LABEL_PERCENT for other in kept):
            kept.append(label)
    return tuple(kept)


def xs(count: int) -> Floats:
    """The middles of `count` points side by side."""
    return (np.arange(count) + 0.5) * (WIDTH / max(count, 1))


def line(x: Floats, y: Floats) -> str:
    """A path through the points, broken where y is NaN; a lone point is a short stroke."""
    parts: list[str] = []
    for first, last in runs(~np.isnan(y)):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[first:last], y[first:last], strict=True))
        parts.append(f"M{points}" if last - first > 1 else f"M{x[first] - 1:.1f},{y[first]:.1f}h2")
    return "".join(parts)


def band(x: Floats, top: Floats, bottom: Floats) -> str:
    """The area between two lines."""
    parts: list[str] = []
    for first, last in runs(~np.isnan(top) & ~np.isnan(bottom)):
        there = [f"{a:.1f},{b:.1f}" for a, b in zip(x[first:last], top[first:last], strict=True)]
        back = [f"{a:.1f},{b:.1f}" for a, b in zip(x[first:last][::-1], bottom[first:last][::-1], strict=True)]
        if last - first == 1:
            there, back = [f"{x[first] - 1:.1f},{top[first]:.1f}"], [f"{x[first] + 1:.1f},{bottom[first]:.1f}"]
        parts.append("M" + " ".join(there + back) + "Z")
    return "".join(parts)


def box(left: float, right: float, top: float = 0.0, bottom: float = HEIGHT) -> str:
    """A rectangle, at least a visible sliver wide."""
    right = max(right, left + 1.5)
    return f"M{left:.1f},{top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"


def across(y: float) -> str:
    """A line from side to side."""
    return f"M0,{y:.1f}H{WIDTH:.0f}"


class Axis(NamedTuple):
    """Time from `start` to `end`, ms, from side to side."""

    start: int
    end: int

    def x(self, ms: float) -> float:
        return WIDTH * (ms - self.start) / max(self.end - self.start, 1)

    def boxes(self, spans: Sequence[Span], top: float = 0.0, bottom: float = HEIGHT) -> str:
        """Rectangles over the spans."""
        return "".join(box(self.x(first), self.x(last), top, bottom) for first, last in spans)

    def ticks(self, text: Callable[[int], str], wanted: int = 4) -> tuple[Label, ...]:
        """Labels at even distances, the first and the last inside the picture."""
        found = []
        for number in range(wanted):
            ms = self.start + round((self.end - self.start) * number / (wanted - 1))
            at = "start" if number == 0 else "end" if number == wanted - 1 else "middle"
            found.append(Label(100 * number / (wanted - 1), text(ms), at))
        return tuple(found)
