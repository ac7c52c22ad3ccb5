"""The tables of a report: rows of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eugenie_cli.detection.metrics import PhaseRates, RootCauseMetrics
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.findings import AssetFinding
from eugenie_cli.evaluation.page.formatting import UNKNOWN, Clock, duration, number, percent, quantity
from eugenie_cli.evaluation.provenance import Provenance, Unknown
from eugenie_cli.evaluation.report import COLUMNS, COLUMNS_WITHOUT_LABELS, table_row

MOST_GAPS = 12
MOST_THRESHOLDS = 60
MOST_MISSING = 3


def around(phases: Mapping[str, PhaseRates] | None) -> Sequence[Sequence[str]]:
    """phase, rows, rows above 1, time in alarm: of the phases that have rows."""
    words = {
        "before": "before the fault, as long as it lasts",
        "during": "during the fault",
        "after": "after the fault, as long as it lasted",
        "elsewhere": "the rest of the time",
    }
    if phases is None:
        return []
    return [
        (words[name], f"{phases[name].rows:,}", percent(phases[name].flagged), percent(phases[name].alarm))
        for name in words
        if phases[name].rows
    ]


def root_cause(afterwards: RootCauseMetrics | None, at_alarm: RootCauseMetrics | None) -> Sequence[Sequence[str]]:
    """From what, faults, hit@1, hit@3, HitRate@100 %, HitRate@150 %; empty where no label names a sensor."""
    if not afterwards or not afterwards.events or not at_alarm:
        return []
    return [
        (
            what,
            f"{one.events:,}",
            *(percent(rate, 0) for rate in (one.hit_at_1, one.hit_at_3, one.hitrate_at_100, one.hitrate_at_150)),
        )
        for what, one in (("at the alarm", at_alarm), ("over the whole fault", afterwards))
    ]


def baselines(one: Evaluation) -> Mapping[str, Any]:
    """The table of the command line, the model first, with precision and recall."""
    judged = one.model.point is not None
    columns = list(COLUMNS if judged else COLUMNS_WITHOUT_LABELS)
    rows = []
    for name, performance in {f"version {one.version}": one.model, **one.baselines}.items():
        row = table_row(name, performance)
        if judged and performance.point is not None:
            row[4:4] = [number(performance.point.precision, 3), number(performance.point.recall, 3)]
        rows.append(row)
    if judged:
        columns[4:4] = ["precision", "recall"]
    return {"columns": columns, "rows": rows}


def thresholds(known: Provenance | Unknown) -> Mapping[str, Any] | None:
    """How the class's thresholds came about, and each asset's; those on least ground first where they are many."""
    if isinstance(known, Unknown):
        return None
    shown = list(known.assets)
    if len(shown) > MOST_THRESHOLDS:
        shown = sorted(shown, key=lambda one: (not one.calibration.pooled, one.calibration.rows))[:MOST_THRESHOLDS]
    rows = [
        (
            one.calibration.asset,
            quantity(one.threshold),
            f"{one.calibration.rows:,}",
            "the class's" if one.calibration.pooled else "its own, few" if one.thin else "its own",
            quantity(one.calibration.quantile),
            percent(one.calibration.exceeding),
        )
        for one in shown
    ]
    return {
        "margin": f"{known.margin:.3g}",
        "quantile": f"{known.quantile:g}".lstrip("0"),
        "budget": percent(known.budget),
        "rehearsal": percent(known.rehearsal),
        "within": known.rehearsal <= known.budget,
        "enough": f"{1 / (1 - known.quantile):,.0f}",
        "columns": ("asset", "threshold", "rows", "from", "quantile", "rows above 1"),
        "rows": rows,
        "left_out": f"{len(shown)} of {len(known.assets)} assets are shown: those with the fewest rows of their own."
        if len(shown) < len(known.assets)
        else "",
    }


def gaps(assets: Sequence[AssetFinding], clock: Clock) -> Mapping[str, Any]:
    """The longest gaps of all assets, and the assets with the least data."""
    found = sorted(
        ((end - start, one.asset, start) for one in assets for start, end in one.coverage.gaps), reverse=True
    )
    poor = sorted(assets, key=lambda one: (one.coverage.present or 0.0, one.coverage.scored or 0.0))[:MOST_GAPS]
    whole = all(one.coverage.present == 1.0 and not one.coverage.missing for one in assets)
    return {
        "gaps": [(asset, clock.second(start), duration(length / 1000)) for length, asset, start in found[:MOST_GAPS]],
        "more_gaps": len(found) > MOST_GAPS,
        "whole": whole,
        "assets": [
            (
                one.asset,
                UNKNOWN if one.coverage.first is None else clock.minute(one.coverage.first),
                UNKNOWN if one.coverage.last is None else clock.minute(one.coverage.last),
                f"{one.coverage.rows:,}",
                percent(one.coverage.present),
                percent(one.coverage.scored),
                ", ".join(f"{name} {percent(share)}" for name, share in one.coverage.missing[:MOST_MISSING]) or "none",
            )
            for one in poor
        ],
        "left_out": f"{len(poor)} of {len(assets)} assets are shown: those with the least data."
        if len(poor) < len(assets)
        else "",
    }


def identity(report: EvaluationReport) -> Sequence[tuple[str, str]]:
    """What the version is, and what it learnt from."""
    one, known = report.evaluation, report.provenance
    lines = [("site, class, version", f"{report.site}, {one.class_name}, {one.version}"), ("training run", one.run_id)]
    if isinstance(known, Unknown):
        return lines
    lines += [
        ("trained", f"{known.ended} by eugenie {known.eugenie or '(unknown version)'}"),
        ("commit", known.commit or "not a checkout"),
        ("fingerprint of its data", known.data_fingerprint or "unknown"),
        ("detector", known.judges),
        ("window", f"{known.window} rows of {duration(report.step_ms / 1000)}"),
        ("sensors read, not scored", ", ".join(known.context) or "none"),
    ]  # fmt: skip
    for part in ("training", "validation", "calibration"):
        spans = [span for parts in known.periods.values() if (span := parts.get(part))]
        if spans:
            first, last = min(span[0] for span in spans), max(span[-1] for span in spans)
            lines.append((f"{part} rows", f"{first} to {last}, of {len(spans)} assets"))
    return lines
