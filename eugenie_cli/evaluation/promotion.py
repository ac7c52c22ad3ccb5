"""Promotion through the gate of the site file: judged beside the champion first, and what was found is kept.

The registered version's tags `eugenie.gate.*` say what the gate said, when, of which figures, and who overruled it.
"""

from __future__ import annotations

import getpass
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.evaluation.evaluate import evaluate_class
from eugenie_cli.evaluation.labels import read_labels
from eugenie_cli.evaluation.paired_study import PairStudy
from eugenie_cli.evaluation.promotion_gate import Verdict, candidate_of, judge, judge_alone
from eugenie_cli.evaluation.request import report_of
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import promotion
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.promotion import PromotionGate
from eugenie_cli.site.schema import Site
from eugenie_cli.training import mlflow_store
from eugenie_cli.training.registry import CHAMPION, GATE_TAG, Registry

PASSED, REFUSED, FORCED = "passed", "refused", "forced"

_LONGEST_TAG = 5000
"""What MLflow takes as a tag's value."""

_FIGURES = (
    "judged_rows", "left_out_rows", "learnt", "events", "false_alarms_per_asset_day", "anomalies_per_asset_day",
    "flagged", "alarm_time_fraction", "quiet", "coverage", "highest_score", "point",
)  # fmt: skip


@dataclass(frozen=True)
class GatedPromotion:
    """A class's champion changed. `verdict` is None where the gate was not asked; `forced`: against or without it."""

    promotion: promotion.Promotion
    verdict: Verdict | None
    forced: bool = False


def promote(
    site: Site, class_name: str, version: int, *, force: bool = False, progress: Progress = SILENT
) -> GatedPromotion:
    """Make a version champion if the class's gate lets it; a class without one promotes what it is told to.

    Without a champion the version is judged alone, by the limits that hold for every one. Raises EugenieError: REFUSED
    with each reason in words when the gate is against it, unless `force`; and as `promotion.promote` does.
    """
    gate = site.class_named(class_name).promotion
    registry = Registry(site)
    registered = registry.resolve(class_name, version)
    if gate is None or CHAMPION in registered.aliases:
        return GatedPromotion(promotion.promote(site, class_name, version, progress), None)
    champion = registry.champion(class_name)
    evaluate = partial(_evaluate, site, class_name, gate, progress)
    verdict, figures = _judged(evaluate, version, champion, gate, force)
    overruled = force and not verdict.promote
    said = PASSED if verdict.promote else FORCED if overruled else REFUSED
    name = mlflow_store.registered_name(site, class_name)
    _note(registry, name, version, champion, said, verdict, figures, by=overruled)
    for words in verdict.reasons:
        progress.say(f"{class_name} version {version}: {words}")
    if said == REFUSED:
        raise EugenieError(
            f"the gate refuses {class_name} version {version}: " + "; ".join(verdict.against),
            f"{'no version is champion' if champion is None else 'the champion stays'}; --force promotes it all the "
            "same, and notes who did",
            ExitCode.REFUSED,
        )
    return GatedPromotion(promotion.promote(site, class_name, version, progress), verdict, overruled)


def _judged(
    evaluate: Callable[[int, int | None], Mapping[str, Any]], version: int, champion: int | None,
    gate: PromotionGate, force: bool,
) -> tuple[Verdict, Mapping[str, Any]]:  # fmt: skip
    """The verdict and both versions' figures. A judgement that fails stops nobody who forces.

    `evaluate`: a version, and a candidate beside it -> the report.
    """
    try:
        if champion is None:
            own = evaluate(version, None)
            return judge_alone(own, gate), _figures(candidate=own)
        report = evaluate(champion, version)
    except EugenieError as problem:
        if not force:
            raise
        words = f"it could not be judged: {problem.reason}"
        return Verdict(False, (words,), (words,)), {}
    candidate = candidate_of(report)
    return judge(candidate, report, gate), _figures(candidate=candidate, champion=report)


def _figures(**reports: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: {key: one[key] for key in ("version", *_FIGURES) if key in one} for name, one in reports.items()
    }  # fmt: skip


def _evaluate(
    site: Site, class_name: str, gate: PromotionGate, progress: Progress, version: int, candidate: int | None
) -> Mapping[str, Any]:
    """A version, and a candidate beside it, as `eugenie evaluate -o json` says them, on the gate's rows and labels."""
    labels = read_labels(site.resolve(gate.labels), site) if gate.labels is not None else None
    start_ms, end_ms = _period(site, class_name, gate)
    study = PairStudy(site, class_name, labels)
    one = evaluate_class(
        site, class_name, labels, start_ms, end_ms, version, progress,
        watch=study, candidate=candidate, with_baselines=False,
    )  # fmt: skip
    return report_of(site, one, study).to_json()


def _period(site: Site, class_name: str, gate: PromotionGate) -> tuple[int | None, int | None]:
    if gate.last is not None:
        assets = set(site.assets_of(class_name))
        ends = [one.end_ms for one in open_history(site).summary() if one.asset in assets]
        return (max(ends) - gate.last if ends else None), None
    return tuple(None if one is None else to_ms(one) for one in (gate.start, gate.end))  # type: ignore[return-value]


def _note(
    registry: Registry, name: str, version: int, champion: int | None, said: str,
    verdict: Verdict, figures: Mapping[str, Any], *, by: bool,
) -> None:  # fmt: skip
    noted = {
        "verdict": said,
        "reasons": "\n".join(verdict.reasons),
        "figures": json.dumps(figures),
        "champion": "none" if champion is None else str(champion),
        "at": iso(int(time.time() * 1000)),
        "by": _user() if by else "",
    }
    for key, value in noted.items():
        registry.client.set_model_version_tag(name, str(version), f"{GATE_TAG}.{key}", value[:_LONGEST_TAG])


def _user() -> str:
    """Who runs this; a number where the system has no name for it, as in many containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
