"""Alarms by asset and day, as a table in which more alarms make a darker cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eugenie_cli.evaluation.findings import AssetFinding, DayCount

MOST_ASSETS = 30
MOST_DAYS = 31
SHADES = (1, 3, 6, 12)
"""Alarms per day from which a cell is darker; 12 is one every two hours."""


class Cell(NamedTuple):
    text: str
    shade: int
    """0: none, 4: most; -1: no judged row."""


def heat(assets: Sequence[AssetFinding], labelled: bool) -> Mapping[str, Any]:
    """False alarms (without labels: alarms) of the worst assets on the last days; totals cover all days."""

    def alarms(day: DayCount) -> int:
        return (day.false_alarms or 0) if labelled else day.alarms

    totals = {asset.asset: sum(map(alarms, asset.days)) for asset in assets}
    worst = sorted(assets, key=lambda asset: -totals[asset.asset])[:MOST_ASSETS]
    every_day = sorted({day.day for asset in assets for day in asset.days})
    days = every_day[-MOST_DAYS:]
    rows = []
    for asset in worst:
        by_day = {day.day: day for day in asset.days}
        cells = [Cell("", -1) if day not in by_day else _cell(alarms(by_day[day])) for day in days]
        judged_days = sum(day.judged_s for day in asset.days) / 86_400
        rate = f"{totals[asset.asset] / judged_days:,.1f}" if judged_days else "–"
        rows.append((asset.asset, cells, f"{totals[asset.asset]:,}", rate))
    notes = []
    if len(worst) < len(assets):
        notes.append(f"{len(worst)} of {len(assets):,} assets are shown: those with the most.")
    if len(days) < len(every_day):
        notes.append(f"The last {len(days)} of {len(every_day):,} days are shown.")
    return {"days": days, "rows": rows, "note": " ".join(notes)}


def _cell(amount: int) -> Cell:
    return Cell(str(amount) if amount else "0", sum(amount >= limit for limit in SHADES))
