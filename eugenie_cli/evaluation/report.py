"""An evaluation as JSON, as table rows, and as notes in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from eugenie_cli.detection.metrics import RootCauseMetrics
from eugenie_cli.evaluation.performance import Performance, Quiet
from eugenie_cli.evaluation.recommendation import how_to_take
from eugenie_cli.site.labels import Labels
from eugenie_cli.site.schema import Fleet

COLUMNS = (
    "detector", "F1", "FAR", "MAR", "events found", "delay, median", "false alarms / asset-day", "alarm time",
    "hit@1", "hit@3", "VUS-PR",
)  # fmt: skip
COLUMNS_WITHOUT_LABELS = ("detector", "rows above 1", "anomalies / asset-day", "alarm time", "coverage")
CLEARLY_BETTER = 0.005
"""Difference from which the report calls a baseline better than the model."""


def performance_json(performance: Performance) -> dict[str, Any]:
    """The figures under their JSON names; null where a figure cannot be known."""
    point, events, cause = performance.point, performance.events, performance.root_cause
    return {
        "point": {
            name: getattr(point, name) if point else None for name in ("f1", "far", "mar", "precision", "recall")
        },
        "events": {
            "total": events.total if events else None,
            "detected": events.detected if events else None,
            "delay_s": {
                "median": events.delay_median if events else None,
                "p90": events.delay_p90 if events else None,
            },
        },
        "false_alarms_per_asset_day": performance.false_alarms_per_asset_day,
        "alarm_time_fraction": performance.alarm_time_fraction,
        "root_cause": root_cause_json(cause),
        "vus_pr": performance.vus_pr,
        "flagged": performance.flagged,
        "anomalies_per_asset_day": performance.anomalies_per_asset_day,
        "coverage": performance.coverage,
        "highest_score": performance.highest,
        "quiet": quiet_json(performance.quiet),
    }


def quiet_json(quiet: Quiet | None) -> dict[str, Any]:
    """The figures of quiet rows, at which nothing is known to be wrong, under their JSON names."""
    return {name: getattr(quiet, name) if quiet else None for name in ("rows", "flagged", "alarm_time_fraction")}


def root_cause_json(cause: RootCauseMetrics | None) -> dict[str, Any]:
    """The root-cause figures under their JSON names."""
    return {
        "events": cause.events if cause else None,
        "hit@1": cause.hit_at_1 if cause else None,
        "hit@3": cause.hit_at_3 if cause else None,
        "hitrate@100": cause.hitrate_at_100 if cause else None,
        "hitrate@150": cause.hitrate_at_150 if cause else None,
    }


def table_row(name: str, performance: Performance) -> list[str]:
    """A detector's cells under `COLUMNS`, or under `COLUMNS_WITHOUT_LABELS` without labels."""
    if performance.point is None or performance.events is None or performance.root_cause is None:
        return [
            name, _percent(performance.flagged), _number(performance.anomalies_per_asset_day, 1),
            _percent(performance.alarm_time_fraction), _percent(performance.coverage),
        ]  # fmt: skip
    point, events, cause = performance.point, performance.events, performance.root_cause
    delay = "-" if events.delay_median is None else f"{events.delay_median:,.0f} s"
    return [
        name, _number(point.f1), _percent(point.far), _percent(point.mar),
        f"{events.detected} of {events.total}", delay, _number(performance.false_alarms_per_asset_day, 1),
        _percent(performance.alarm_time_fraction), _number(cause.hit_at_1), _number(cause.hit_at_3),
        _number(performance.vus_pr),
    ]  # fmt: skip


def notes_on(
    fleet: Fleet,
    labels: Labels | None,
    model: Performance,
    baselines: Mapping[str, Performance],
    judged: int,
    unknown_assets: Sequence[str] = (),
) -> tuple[str, ...]:
    """What a reader must know to interpret the figures. `unknown_assets`: assets that the version does not know."""
    assets = [asset for asset in fleet.assets if asset not in unknown_assets]
    unlisted = [asset for asset in assets if not fleet.assets[asset].normal]
    notes = []
    if judged == 0:
        notes.append("The period has no row to judge, so there are no figures.")
    if len(unlisted) < len(assets):
        notes.append("Rows in listed normal periods are not judged: they trained and calibrated the model.")
    if unlisted:
        notes.append(
            f"{len(unlisted)} of {len(assets)} assets list no normal period, so the model was trained on all their "
            "rows that are not excluded, including judged ones: expect worse figures on new rows."
        )
    if labels is None:
        notes.append(
            "Without labels, nobody can say which alarms are right, which faults were missed or how late they were "
            "found. Compare the alarms, or the share of rows above 1, with the alarm budget: "
            f"{fleet.equipment.alarm.budget_in_words}."
        )
        return tuple(notes)
    if labels.foreign:
        notes.append(f"Labels of assets that are not in the site file were ignored: {_some(labels.foreign)}.")
    if judged and not (model.events and model.events.total):
        notes.append("The judged rows contain no labelled event, so only false alarms can be counted.")
    return (*notes, *_winners(partial(how_to_take, fleet), model, baselines))


def _winners(advice: Callable[[str], str], model: Performance, baselines: Mapping[str, Performance]) -> list[str]:
    """A sentence for each figure by which a baseline clearly beats the model, and how to use that baseline."""
    notes: list[str] = []
    for label, figure in (("F1 of rows", _f1), ("VUS-PR", lambda performance: performance.vus_pr)):
        own = figure(model)
        best = max(baselines, key=lambda name: figure(baselines[name]) or 0.0, default=None)
        if own is None or best is None:
            continue
        other = figure(baselines[best])
        if other is not None and other > own + CLEARLY_BETTER:
            how = advice(best)
            if any(how in note for note in notes):
                how = ""
            notes.append(f"By {label}, {best} is better than the model here: {other:.3f} against {own:.3f}.{how}")
    return notes


def _f1(performance: Performance) -> float | None:
    return performance.point.f1 if performance.point else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _number(value: float | None, decimals: int = 3) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"


def _some(names: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
