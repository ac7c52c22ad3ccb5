"""An evaluation in JSON, in rows of a table, and in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from eugenie_cli.detection.metrics import RootCauseMetrics
from eugenie_cli.evaluation.labels import Labels
from eugenie_cli.evaluation.performance import Performance, Quiet
from eugenie_cli.evaluation.recommendation import how_to_take
from eugenie_cli.site.schema import Site

COLUMNS = (
    "detector", "F1", "FAR", "MAR", "events found", "delay, median", "false alarms / asset-day", "alarm time",
    "hit@1", "hit@3", "VUS-PR",
)  # fmt: skip
COLUMNS_WITHOUT_LABELS = ("detector", "rows above 1", "anomalies / asset-day", "alarm time", "coverage")
CLEARLY_BETTER = 0.005
"""By how much a figure must exceed the model's for the report to call a baseline better."""


def performance_json(one: Performance) -> dict[str, Any]:
    """The figures under the names of the contract; null is what cannot be known."""
    point, events, cause = one.point, one.events, one.root_cause
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
        "false_alarms_per_asset_day": one.false_alarms_per_asset_day,
        "alarm_time_fraction": one.alarm_time_fraction,
        "root_cause": root_cause_json(cause),
        "vus_pr": one.vus_pr,
        "flagged": one.flagged,
        "anomalies_per_asset_day": one.anomalies_per_asset_day,
        "coverage": one.coverage,
        "highest_score": one.highest,
        "quiet": quiet_json(one.quiet),
    }


def quiet_json(one: Quiet | None) -> dict[str, Any]:
    """The figures of rows at which nothing is known to be wrong, under the names of the contract."""
    return {name: getattr(one, name) if one else None for name in ("rows", "flagged", "alarm_time_fraction")}


def root_cause_json(cause: RootCauseMetrics | None) -> dict[str, Any]:
    """The figures of blame under the names of the contract."""
    return {
        "events": cause.events if cause else None,
        "hit@1": cause.hit_at_1 if cause else None,
        "hit@3": cause.hit_at_3 if cause else None,
        "hitrate@100": cause.hitrate_at_100 if cause else None,
        "hitrate@150": cause.hitrate_at_150 if cause else None,
    }


def table_row(name: str, one: Performance) -> list[str]:
    """The cells of a detector under `COLUMNS`, or `COLUMNS_WITHOUT_LABELS` when nothing was labelled."""
    if one.point is None or one.events is None or one.root_cause is None:
        return [
            name, _percent(one.flagged), _number(one.anomalies_per_asset_day, 1),
            _percent(one.alarm_time_fraction), _percent(one.coverage),
        ]  # fmt: skip
    delay = "-" if one.events.delay_median is None else f"{one.events.delay_median:,.0f} s"
    return [
        name, _number(one.point.f1), _percent(one.point.far), _percent(one.point.mar),
        f"{one.events.detected} of {one.events.total}", delay, _number(one.false_alarms_per_asset_day, 1),
        _percent(one.alarm_time_fraction), _number(one.root_cause.hit_at_1), _number(one.root_cause.hit_at_3),
        _number(one.vus_pr),
    ]  # fmt: skip


def notes_on(
    site: Site,
    class_name: str,
    labels: Labels | None,
    model: Performance,
    baselines: Mapping[str, Performance],
    judged: int,
    strangers: Sequence[str] = (),
) -> tuple[str, ...]:
    """What a reader must know to read the figures right. `strangers`: assets that the version does not know."""
    assets = [asset for asset in site.assets_of(class_name) if asset not in strangers]
    unlisted = [asset for asset in assets if not site.assets[asset].normal]
    notes = []
    if judged == 0:
        notes.append("There is no row to judge in this period: nothing can be said.")
    if len(unlisted) < len(assets):
        notes.append("Rows in listed normal periods are not judged: they trained and calibrated the model.")
    if unlisted:
        notes.append(
            f"{len(unlisted)} of {len(assets)} assets list no normal period, so the model learnt from all "
            "their rows that are not excluded, judged ones too: expect worse figures on new rows."
        )
    if labels is None:
        notes.append(
            "Without labels nobody can say which alarms are right, which faults were missed or how late they "
            "were found. What can be compared is the share of rows above 1 with the alarm budget: "
            f"{site.classes[class_name].alarm.budget:.2%} of normal rows."
        )
        return tuple(notes)
    if labels.foreign:
        notes.append(f"Labels of assets that the site does not have were left out: {_some(labels.foreign)}.")
    if judged and not (model.events and model.events.total):
        notes.append("No labelled event lies in the judged rows: only false alarms can be counted.")
    return (*notes, *_winners(partial(how_to_take, site, class_name), model, baselines))


def _winners(take: Callable[[str], str], model: Performance, baselines: Mapping[str, Performance]) -> list[str]:
    """A sentence for each figure by which a baseline is clearly better than the model, and how to take the baseline."""
    notes: list[str] = []
    for what, figure in (("F1 of rows", _f1), ("VUS-PR", lambda one: one.vus_pr)):
        own = figure(model)
        best = max(baselines, key=lambda name: figure(baselines[name]) or 0.0, default=None)
        if own is None or best is None:
            continue
        other = figure(baselines[best])
        if other is not None and other > own + CLEARLY_BETTER:
            how = take(best)
            told = any(how in note for note in notes)
            notes.append(
                f"By {what}, {best} is better than the model here: {other:.3f} against {own:.3f}.{'' if told else how}"
            )
    return notes


def _f1(one: Performance) -> float | None:
    return one.point.f1 if one.point else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _number(value: float | None, decimals: int = 3) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"


def _some(names: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
