"""Two versions side by side: the gate's word and its conditions, each figure of both, and asset by asset."""

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
"""Rows of the table of assets: the rest is in `-o json`."""

_BADGES = {"better": GOOD, "worse": POOR}


class Figure(NamedTuple):
    """A figure of both, the candidate's less the version's, and the interval of that."""

    words: str
    version: str
    candidate: str
    difference: str
    interval: str
    verdict: str
    said: str


class Versus(NamedTuple):
    """The section of the page."""

    candidate: int
    verdict: str
    badge: str
    basis: str
    """By what settings, rows and labels the gate judged."""
    conditions: Sequence[Sentence]
    figures: Sequence[Figure]
    method: str
    asset_columns: Sequence[str]
    assets: Sequence[Sequence[str]]
    assets_left_out: str


def versus(report: EvaluationReport) -> Versus | None:
    """None where one version alone was judged."""
    one, other, verdict = report.evaluation, report.evaluation.candidate, report.verdict()
    if other is None or report.candidate is None or verdict is None:
        return None
    pairs = _paired(report.findings.assets, report.candidate.assets)
    worst = sorted(pairs, key=_worsening, reverse=True)[:MOST_ASSETS]
    labelled = report.findings.labelled
    return Versus(
        candidate=other.version,
        verdict=GOOD if verdict.promote else POOR,
        badge="✓ it may take the place" if verdict.promote else "✕ it may not take the place",
        basis=_basis(report),
        conditions=[Sentence(POOR if words in verdict.against else GOOD, words) for words in verdict.reasons],
        figures=[
            Figure(name, first, second, less, "" if interval == UNKNOWN else interval, _BADGES.get(word, NEUTRAL), word)
            for name, first, second, less, interval, word in comparison_rows(one.model, other)
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
    champion = f"The champion, in these words, is version {report.evaluation.version}."
    if gate is None:
        return (
            "The class has no gate (promotion) in the site file, so these are the gate's defaults, on the rows of this "
            f"report; eugenie models promote asks nobody. {champion}"
        )
    return (
        "By the class's promotion in the site file, on the rows of this report; eugenie models promote judges again, "
        f"on the labels and the period that the site file names. {champion}"
    )


def _paired(
    first: Sequence[AssetFinding], second: Sequence[AssetFinding]
) -> Sequence[tuple[AssetFinding, AssetFinding]]:
    """Those with a judged row."""
    others = {one.asset: one for one in second}
    return [(one, others[one.asset]) for one in first if one.asset in others and one.judged_rows]


def _worsening(pair: tuple[AssetFinding, AssetFinding]) -> tuple[float, ...]:
    """How much worse the second is: faults that it misses more, then alarms that it raises more."""
    one, other = pair
    alarms = [each.alarms if each.false_alarms is None else each.false_alarms for each in pair]
    return (
        (one.detected or 0) - (other.detected or 0),
        alarms[1] - alarms[0],
        (other.flagged or 0.0) - (one.flagged or 0.0),
        (one.coverage.scored or 0.0) - (other.coverage.scored or 0.0),
    )


def _asset(one: AssetFinding, other: AssetFinding, *, labelled: bool) -> Sequence[str]:
    return (
        one.asset,
        *(
            (
                f"{_both(count(one.detected), count(other.detected))} of {one.events}",
                _both(count(one.false_alarms), count(other.false_alarms)),
            )
            if labelled
            else ()
        ),
        _both(count(one.alarms), count(other.alarms)),
        _both(percent(one.alarm_time_fraction), percent(other.alarm_time_fraction)),
        _both(percent(one.flagged), percent(other.flagged)),
        _both(percent(one.coverage.scored), percent(other.coverage.scored)),
    )


def _both(old: str, new: str) -> str:
    return old if old == new else f"{old} → {new}"
