"""Two versions side by side: the gate's verdict and conditions, all figures of both, and each asset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eugenie_cli.evaluation.comparison import METHOD
from eugenie_cli.evaluation.comparison_table import UNKNOWN, comparison_rows
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.findings import AssetFinding
from eugenie_cli.evaluation.page.formatting import count, counted, percent
from eugenie_cli.evaluation.page.summary import GOOD, NEUTRAL, POOR, Sentence

MOST_ASSETS = 100
"""Rows of the table of assets; the rest are in `-o json`."""

_BADGES = {"better": GOOD, "worse": POOR}


class Figure(NamedTuple):
    """A figure of both versions, the candidate's minus the version's, and the interval of the difference."""

    name: str
    version: str
    candidate: str
    difference: str
    interval: str
    verdict: str
    comment: str
    """"better", "worse", "more", "less", or empty if the difference is not clear."""


class Versus(NamedTuple):
    """The section of the page."""

    candidate: int
    verdict: str
    badge: str
    basis: str
    """The settings, rows and labels that the gate judged by."""
    conditions: Sequence[Sentence]
    figures: Sequence[Figure]
    method: str
    asset_columns: Sequence[str]
    assets: Sequence[Sequence[str]]
    assets_left_out: str


def versus(report: EvaluationReport) -> Versus | None:
    """The comparison; None if only one version was judged."""
    evaluation, candidate, verdict = report.evaluation, report.evaluation.candidate, report.verdict()
    if candidate is None or report.candidate is None or verdict is None:
        return None
    pairs = _paired(report.findings.assets, report.candidate.assets)
    worst = sorted(pairs, key=_worsening, reverse=True)[:MOST_ASSETS]
    labelled = report.findings.labelled
    return Versus(
        candidate=candidate.version,
        verdict=GOOD if verdict.promote else POOR,
        badge="✓ may be promoted" if verdict.promote else "✕ may not be promoted",
        basis=_basis(report),
        conditions=[Sentence(POOR if reason in verdict.against else GOOD, reason) for reason in verdict.reasons],
        figures=[
            Figure(
                name, first, second, difference, "" if interval == UNKNOWN else interval,
                _BADGES.get(comment, NEUTRAL), comment,
            )
            for name, first, second, difference, interval, comment in comparison_rows(evaluation.model, candidate)
        ],
        method=METHOD,
        asset_columns=(
            "asset", *(("faults found", "false alarms") if labelled else ()), "alarms", "time in alarm", "rows above 1",
            "rows scored",
        ),
        assets=[_asset(*pair, labelled=labelled) for pair in worst],
        assets_left_out=f"{len(worst)} of {counted(len(pairs), 'asset')} are shown." if len(worst) < len(pairs) else "",
    )  # fmt: skip


def _basis(report: EvaluationReport) -> str:
    gate = report.gate
    champion = f"In these conditions, the champion is version {report.evaluation.version}."
    if gate is None:
        return (
            "The class has no gate (promotion) in the site file, so these are the gate's default conditions, on the "
            f"rows of this report; eugenie models promote applies no gate. {champion}"
        )
    return (
        "Judged by the class's promotion settings in the site file, on the rows of this report; eugenie models promote "
        f"judges again, on the labels and the period that the site file sets. {champion}"
    )


def _paired(
    first: Sequence[AssetFinding], second: Sequence[AssetFinding]
) -> Sequence[tuple[AssetFinding, AssetFinding]]:
    """Both versions' findings of each asset with a judged row."""
    others = {finding.asset: finding for finding in second}
    return [(finding, others[finding.asset]) for finding in first if finding.asset in others and finding.judged_rows]


def _worsening(pair: tuple[AssetFinding, AssetFinding]) -> tuple[float, ...]:
    """How much worse the second version is: additional missed faults first, then additional alarms."""
    first, second = pair
    alarms = [finding.alarms if finding.false_alarms is None else finding.false_alarms for finding in pair]
    return (
        (first.detected or 0) - (second.detected or 0),
        alarms[1] - alarms[0],
        (second.flagged or 0.0) - (first.flagged or 0.0),
        (first.coverage.scored or 0.0) - (second.coverage.scored or 0.0),
    )


def _asset(first: AssetFinding, second: AssetFinding, *, labelled: bool) -> Sequence[str]:
    return (
        first.asset,
        *(
            (
                f"{_both(count(first.detected), count(second.detected))} of {first.events}",
                _both(count(first.false_alarms), count(second.false_alarms)),
            )
            if labelled
            else ()
        ),
        _both(count(first.alarms), count(second.alarms)),
        _both(percent(first.alarm_time_fraction), percent(second.alarm_time_fraction)),
        _both(percent(first.flagged), percent(second.flagged)),
        _both(percent(first.coverage.scored), percent(second.coverage.scored)),
    )


def _both(old: str, new: str) -> str:
    return old if old == new else f"{old} → {new}"
