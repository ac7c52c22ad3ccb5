"""The tables of docs/detection.md, between its markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures of {name}: begin -->", "<!-- figures of {name}: end -->"

BY_ROW: Mapping[str, str] = {
    "f1": "F1",
    "far": "FAR",
    "mar": "MAR",
    "vus_pr": "VUS-PR",
    "normal_above_1": "normal rows above 1",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "skab": BY_ROW,
    "tep": {
        "f1": "F1",
        "vus_pr": "VUS-PR",
        "detection_rate": "detection rate",
        "false_alarm_rate": "false alarms, normal-test",
        "false_alarm_rate_before_faults": "before the faults",
        "delay_median_min": "median delay, min",
        "delay_max_min": "longest",
        **{f"detection_rate_fault_{number}": f"fault {number}" for number in range(1, 10)},
    },
    "asd": {
        "f1": "F1",
        "vus_pr": "VUS-PR",
        "average_precision": "average precision",
        "events_found": "events found",
        "false_alarms": "false alarms",
        "false_alarm_rate": "normal rows above 1",
        "hit@1": "Hit@1",
        "hit@3": "Hit@3",
        "hitrate@100": "HitRate@100",
        "hitrate@150": "HitRate@150",
        "alarms_that_blame": "alarms in events",
        "hit@1_at_alarm": "Hit@1 at alarm",
        "hitrate@100_at_alarm": "HitRate@100 at alarm",
        "hit@1_first_rows": "Hit@1, first rows",
        "hitrate@100_first_rows": "HitRate@100, first rows",
    },
    "batadal": BY_ROW,
    "smd": BY_ROW,
    "hvac": BY_ROW,
}
"""For each data set: figure -> heading."""

COUNTS = {"events_found", "false_alarms", "alarms_that_blame", "delay_median_min", "delay_max_min"}


def write(page: Path, name: str, figures: Mapping[str, Any]) -> None:
    """Replace the text between the markers of the data set in `page`."""
    text = page.read_text(encoding="utf-8")
    begin, end = BEGIN.format(name=name), END.format(name=name)
    before, rest = text.split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n{render(name, figures)}{end}{after}", encoding="utf-8")


def render(name: str, figures: Mapping[str, Any]) -> str:
    """A Markdown table with a row per figure: the model with half its spread over the seeds, then the baselines."""
    detectors = {"model": figures, **figures["baselines"]}
    lines = [_line(["", *detectors]), _line(["---"] * (len(detectors) + 1))]
    for key, title in COLUMNS[name].items():
        lines.append(_line([title, *(_cell(results, key) for results in detectors.values())]))
    return "\n".join(lines) + "\n"


def _cell(figures: Mapping[str, Any], key: str) -> str:
    if key not in figures:
        return ""
    shape = ".1f" if key in COUNTS else ".3f"
    spread = figures.get(f"{key}_spread")
    return f"{figures[key]:{shape}}" + (f" ± {spread / 2:{shape}}" if spread else "")


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
