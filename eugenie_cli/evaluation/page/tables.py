"""The tables of a report, as rows of text."""

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
    """Phase, rows, rows above 1 and time in alarm of the phases that have rows."""
    labels = {
        "before": "before the fault, for its duration",
        "during": "during the fault",
        "after": "after the fault, for its duration",
        "elsewhere": "the rest of the time",
    }
    if phases is None:
        return []
    return [
        (labels[name], f"{phases[name].rows:,}", percent(phases[name].flagged), percent(phases[name].alarm))
        for name in labels
        if phases[name].rows
    ]


def root_cause(afterwards: RootCauseMetrics | None, at_alarm: RootCauseMetrics | None) -> Sequence[Sequence[str]]:
    """Basis, faults, hit@1, hit@3, HitRate@100 %, HitRate@150 %; empty if no label names a sensor."""
    if not afterwards or not afterwards.events or not at_alarm:
        return []
    return [
        (
            basis,
            f"{metrics.events:,}",
            *(
                percent(rate, 0)
                for rate in (metrics.hit_at_1, metrics.hit_at_3, metrics.hitrate_at_100, metrics.hitrate_at_150)
            ),
        )
        for basis, metrics in (("at the alarm", at_alarm), ("over the whole fault", afterwards))
    ]


def baselines(evaluation: Evaluation) -> Mapping[str, Any]:
    """The command line's table with precision and recall added, the model first."""
    judged = evaluation.model.point is not None
    columns = list(COLUMNS if judged else COLUMNS_WITHOUT_LABELS)
    rows = []
    for name, performance in {f"version {evaluation.version}": evaluation.model, **evaluation.baselines}.items():
        row = table_row(name, performance)
        if judged and performance.point is not None:
            row[4:4] = [number(performance.point.precision, 3), number(performance.point.recall, 3)]
        rows.append(row)
    if judged:
        columns[4:4] = ["precision", "recall"]
    return {"columns": columns, "rows": rows}


def thresholds(provenance: Provenance | Unknown) -> Mapping[str, Any] | None:
    """The class's and each asset's thresholds and their basis; if there are many, those with the weakest basis."""
    if isinstance(provenance, Unknown):
        return None
    shown = list(provenance.assets)
    if len(shown) > MOST_THRESHOLDS:
        shown = sorted(shown, key=lambda asset: (not asset.calibration.pooled, asset.calibration.rows))[
            :MOST_THRESHOLDS
        ]
    left_out = f"{len(shown)} of {len(provenance.assets)} assets are shown: those with the fewest rows of their own."
    rows = [
        (
            asset.calibration.asset,
            quantity(asset.threshold),
            f"{asset.calibration.rows:,}",
            "the class's" if asset.calibration.pooled else "its own, few" if asset.thin else "its own",
            quantity(asset.calibration.quantile),
            percent(asset.calibration.exceeding),
        )
        for asset in shown
    ]
    return {
        "margin": f"{provenance.margin:.3g}",
        "quantile": f"{provenance.quantile:g}".lstrip("0"),
        "budget": percent(provenance.budget),
        "rehearsal": percent(provenance.rehearsal),
        "within": provenance.rehearsal <= provenance.budget,
        "enough": f"{1 / (1 - provenance.quantile):,.0f}",
        "columns": ("asset", "threshold", "rows", "from", "quantile", "rows above 1"),
        "rows": rows,
        "left_out": left_out if len(shown) < len(provenance.assets) else "",
    }


def gaps(assets: Sequence[AssetFinding], clock: Clock) -> Mapping[str, Any]:
    """The longest gaps over all assets, and the assets with the least data."""
    longest = sorted(
        ((end - start, finding.asset, start) for finding in assets for start, end in finding.coverage.gaps),
        reverse=True,
    )
    poor = sorted(assets, key=lambda finding: (finding.coverage.present or 0.0, finding.coverage.scored or 0.0))[
        :MOST_GAPS
    ]
    whole = all(finding.coverage.present == 1.0 and not finding.coverage.missing for finding in assets)
    return {
        "gaps": [(asset, clock.second(start), duration(length / 1000)) for length, asset, start in longest[:MOST_GAPS]],
        "more_gaps": len(longest) > MOST_GAPS,
        "whole": whole,
        "assets": [
            (
                finding.asset,
                UNKNOWN if finding.coverage.first is None else clock.minute(finding.coverage.first),
                UNKNOWN if finding.coverage.last is None else clock.minute(finding.coverage.last),
                f"{finding.coverage.rows:,}",
                percent(finding.coverage.present),
                percent(finding.coverage.scored),
                ", ".join(f"{name} {percent(share)}" for name, share in finding.coverage.missing[:MOST_MISSING])
                or "none",
            )
            for finding in poor
        ],
        "left_out": f"{len(poor)} of {len(assets)} assets are shown: those with the least data."
        if len(poor) < len(assets)
        else "",
    }


def identity(report: EvaluationReport) -> Sequence[tuple[str, str]]:
    """The version, and the data that it was trained on."""
    evaluation, provenance = report.evaluation, report.provenance
    lines = [
        ("site, class, version", f"{report.site}, {evaluation.class_name}, {evaluation.version}"),
        ("training run", evaluation.run_id),
    ]
    if isinstance(provenance, Unknown):
        return lines
    lines += [
        ("trained", f"{provenance.ended} by eugenie {provenance.eugenie or '(unknown version)'}"),
        ("commit", provenance.commit or "not a checkout"),
        ("data fingerprint", provenance.data_fingerprint or "unknown"),
        ("detector", provenance.judges),
        ("window", f"{provenance.window} rows of {duration(report.step_ms / 1000)}"),
        ("sensors read but not scored", ", ".join(provenance.context) or "none"),
    ]  # fmt: skip
    for part in ("training", "validation", "calibration"):
        spans = [span for parts in provenance.periods.values() if (span := parts.get(part))]
        if spans:
            first, last = min(span[0] for span in spans), max(span[-1] for span in spans)
            lines.append((f"{part} rows", f"{first} to {last}, for {len(spans)} assets"))
    return lines
