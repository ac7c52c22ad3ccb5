"""What the running job reports about the clocks and readings of assets: who is ahead, behind, silent or late."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eugenie_cli.flink_job.asset_reports import (
    CLOCK,
    FIGURES,
    FUTURE,
    FUTURE_BY,
    GROUP,
    LATE,
    LATE_BY,
    SILENT,
)

METRIC = re.compile(rf"\.{GROUP}\.(?P<asset>.+)\.(?P<figure>{'|'.join(FIGURES)})$")

_REPLACED = re.compile(r"[ .:,]")
"""Characters that Flink may replace by `_` in the names of metrics."""

_UNITS = ((31_557_600, "years"), (86_400, "days"), (3_600, "h"), (60, "min"))


@dataclass(frozen=True)
class AssetReport:
    """What to know about an asset. Times in seconds, counts since the job started or restarted."""

    asset: str
    clock_s: float = 0.0
    """How far the clock of its gateway is ahead; negative: behind; 0: right."""
    silent_s: float = 0.0
    """How long it has been silent, beyond what is usual for it."""
    late_readings: int = 0
    late_by_s: float = 0.0
    """How far late readings were behind its newest one at most."""
    future_readings: int = 0
    """Readings that were refused because they lie further in the future than `stream.max_ahead`."""
    future_by_s: float = 0.0

    @property
    def lines(self) -> list[str]:
        """In words, with what to do."""
        lines = []
        if self.clock_s > 0:
            lines.append(f"its clock is {span(self.clock_s)} ahead")
        elif self.clock_s < 0:
            lines.append(f"its clock is {span(-self.clock_s)} behind, or its readings arrive that late")
        if self.future_readings:
            lines.append(
                f"{self.future_readings:,} readings refused, up to {span(self.future_by_s)} ahead:"
                " correct the clock of its gateway, or raise stream.max_ahead"
            )
        if self.late_readings:
            lines.append(
                f"{self.late_readings:,} late readings, up to {span(self.late_by_s)} behind its newest:"
                " see the dead letters; readings that usually are so far behind need a larger stream.out_of_orderness"
            )
        if self.silent_s:
            lines.append(f"silent for {span(self.silent_s)}")
        return lines


def span(seconds: float) -> str:
    """`20 s`, `5 min`, `3 h`, `2 days`, `26 years`: in the largest unit that gives at least 2."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def read_reports(values: Mapping[str, float], assets: Iterable[str]) -> tuple[AssetReport, ...]:
    """Reports from the values of metrics by name. `assets`: the site's. Assets without anything to report have none."""
    names = {_REPLACED.sub("_", asset): asset for asset in assets}
    figures: dict[str, dict[str, float]] = defaultdict(dict)
    for metric, value in values.items():
        match = METRIC.search(metric)
        if match is not None:
            figures[names.get(_REPLACED.sub("_", match["asset"]), match["asset"])][match["figure"]] = value
    reports = (_report(asset, of_asset) for asset, of_asset in sorted(figures.items()))
    return tuple(report for report in reports if report.lines)


def _report(asset: str, figures: Mapping[str, float]) -> AssetReport:
    def seconds(name: str) -> float:
        return round(figures.get(name, 0.0) / 1000, 3)

    return AssetReport(
        asset,
        clock_s=seconds(CLOCK),
        silent_s=seconds(SILENT),
        late_readings=int(figures.get(LATE, 0)),
        late_by_s=seconds(LATE_BY),
        future_readings=int(figures.get(FUTURE, 0)),
        future_by_s=seconds(FUTURE_BY),
    )
