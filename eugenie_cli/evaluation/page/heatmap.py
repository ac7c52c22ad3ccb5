"""Alarms by asset and day, as a table whose cells are the darker the more there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eugenie_cli.evaluation.findings import AssetFinding, DayCount

MOST_ASSETS = 30
MOST_DAYS = 31
SHADES = (1, 3, 6, 12)
"""Alarms a day from which a cell is darker: 12 are one every two hours."""


class Cell(NamedTuple):
    text: str
    shade: int
    """0: none, 4: the most; -1: no judged row."""


def heat(assets: Sequence[AssetFinding], labelled: bool) -> Mapping[str, Any]:
    """False alarms (without labels: alarms) of the assets that have most, on the last days; totals are of all days."""

    def alarms(day: DayCount) -> int:
        return (day.false_alarms or 0) if labelled else day.alarms

    totals = {one.asset: sum(map(alarms, one.days)) for one in assets}
    worst = sorted(assets, key=lambda one: -totals[one.asset])[:MOST_ASSETS]
    every_day = sorted({day.day for one in assets for day in one.days})
    days = every_day[-MOST_DAYS:]
    rows = []
    for one in worst:
        by_day = {day.day: day for day in one.days}
        cells = [Cell("", -1) if day not in by_day else _cell(alarms(by_day[day])) for day in days]
        judged_days = sum(day.judged_s for day in one.days) / 86_400
        rate = f"{totals[one.asset] / judged_days:,.1f}" if judged_days else "–"
        rows.append((one.asset, cells, f"{totals[one.asset]:,}", rate))
    notes = []
    if len(worst) < len(assets):
        notes.append(f"{len(worst)} of {len(assets):,} assets are shown: those with most.")
    if len(days) < len(every_day):
        notes.append(f"The last {len(days)} of {len(every_day):,} days are shown.")
    return {"days": days, "rows": rows, "note": " ".join(notes)}


def _cell(amount: int) -> Cell:
    return Cell(str(amount) if amount else "0", sum(amount >= limit for limit in SHADES))
