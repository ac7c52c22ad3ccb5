"""What people should know about the clocks of assets, as figures of the job. Pure.

Only assets with something to report have figures, and at most `MOST` of a task: a metric costs memory in Flink.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

CLOCK, SILENT, LATE, LATE_BY, FUTURE, FUTURE_BY = (
    "clockMs",
    "silentMs",
    "lateReadings",
    "lateByMs",
    "futureReadings",
    "futureByMs",
)
FIGURES = (CLOCK, SILENT, LATE, LATE_BY, FUTURE, FUTURE_BY)
"""Names of the metrics of an asset: how far its clock is ahead (behind: negative), how long it has been silent, its
late readings since the job started and how late they were at most, its readings from the future and how far ahead."""

GROUP = "asset"
"""The group of an asset's metrics; its value is the asset's name."""

AHEAD_MS, BEHIND_MS = 5_000, 60_000
"""From here on a clock is wrong. Behind is also where a slow way to the broker leads, so that takes more."""

SILENT_MS = 60_000
"""An asset that should have sent readings this long ago is silent; earlier if its class has a shorter `alarm.silence`.
"""

MOST = 100


@dataclass
class AssetFigures:
    """The figures of an asset; 0: nothing to report."""

    clockMs: int = 0  # noqa: N815 - the names of the metrics
    silentMs: int = 0  # noqa: N815
    lateReadings: int = 0  # noqa: N815
    lateByMs: int = 0  # noqa: N815
    futureReadings: int = 0  # noqa: N815
    futureByMs: int = 0  # noqa: N815


class AssetReports:
    """The figures of a task's assets, each reported when it first has something to say, and whenever it changes."""

    def __init__(self, report: Callable[[str, str, int], None]) -> None:
        """`report`: called with an asset, the name of a figure, and its value."""
        self._report = report
        self._figures: dict[str, AssetFigures] = defaultdict(AssetFigures)
        self._reported: dict[str, AssetFigures] = {}
        self._changed: set[str] = set()

    def late(self, asset: str, count: int, by_ms: int) -> None:
        """Readings of an asset were late, by at most `by_ms`."""
        figures = self._figures[asset]
        figures.lateReadings += count
        figures.lateByMs = max(figures.lateByMs, by_ms)
        self._changed.add(asset)

    def future(self, asset: str, count: int, by_ms: int) -> None:
        """Readings of an asset were refused because they lie up to `by_ms` in the future."""
        figures = self._figures[asset]
        figures.futureReadings += count
        figures.futureByMs = max(figures.futureByMs, by_ms)
        self._changed.add(asset)

    def clocks(self, usual_delays: Iterable[tuple[str, int, int]]) -> None:
        """(asset, usual delay in ms, silence in ms; 0: none that is worth saying) of assets now."""
        for asset, delay, silence in usual_delays:
            clock = -delay if delay <= -AHEAD_MS or delay >= BEHIND_MS else 0
            if clock or silence or asset in self._figures:
                self._figures[asset].clockMs = clock
                self._figures[asset].silentMs = silence
                self._changed.add(asset)

    def report(self) -> None:
        """Report what has changed since the last call, of at most `MOST` assets."""
        for asset in sorted(self._changed):
            if asset not in self._reported and len(self._reported) >= MOST:
                continue
            figures = self._figures[asset]
            before = self._reported.setdefault(asset, AssetFigures())
            for name in FIGURES:
                value = getattr(figures, name)
                if value != getattr(before, name):
                    self._report(asset, name, value)
            self._reported[asset] = replace(figures)
        self._changed.clear()
