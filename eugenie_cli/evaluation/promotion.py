"""Promotion through the site file's gate: the version is first judged beside the champion, and the result is recorded.

Tags `eugenie.gate.*` of the registered version record the verdict, its time and figures, and who overruled it.
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
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.evaluation.paired_study import PairStudy
from eugenie_cli.evaluation.promotion_gate import Verdict, candidate_of, judge, judge_alone
from eugenie_cli.evaluation.request import report_of
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import promotion
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.labels import Labelled, read_labels
from eugenie_cli.site.promotion import PromotionGate
from eugenie_cli.site.schema import Site
from eugenie_cli.training import mlflow_store
from eugenie_cli.training.open_class import OpenClass, open_class
from eugenie_cli.training.registered_version import CHAMPION
from eugenie_cli.training.registry import GATE_TAG, Registry

PASSED, REFUSED, FORCED = "passed", "refused", "forced"

_LONGEST_TAG = 5000
"""Characters that MLflow accepts as a tag's value."""

_FIGURES = (
    "judged_rows", "left_out_rows", "learnt", "events", "false_alarms_per_asset_day", "anomalies_per_asset_day",
    "flagged", "alarm_time_fraction", "quiet", "coverage", "highest_score", "point",
)  # fmt: skip


@dataclass(frozen=True)
class GatedPromotion:
    """A changed champion. `verdict`: None if no gate was consulted; `forced`: promoted although the gate refused."""

    promotion: promotion.Promotion
    verdict: Verdict | None
    forced: bool = False


def promote(
    site: Site, class_name: str, version: int, *, force: bool = False, progress: Progress = SILENT
) -> GatedPromotion:
    """Make a version champion if the class's gate allows it; a class without a gate promotes any version.

    Without a champion, the version is judged alone, by the limits that hold for every version. Raises EugenieError
    (REFUSED) with each reason if the gate refuses the version and `force` is not set, and as `promotion.promote` does.
    """
    opened = open_class(site, class_name)
    gate, registry = opened.fleet.equipment.promotion, opened.registry
    registered = registry.resolve(class_name, version)
    if gate is None or CHAMPION in registered.aliases:
        return GatedPromotion(promotion.promote(site, class_name, version, progress), None)
    champion = registry.champion(class_name)
    evaluate = partial(_evaluate, site, opened, gate, progress)
    verdict, figures = _judged(evaluate, version, champion, gate, force)
    overruled = force and not verdict.promote
    outcome = PASSED if verdict.promote else FORCED if overruled else REFUSED
    name = mlflow_store.registered_name(site, class_name)
    _note(registry, name, version, _tags(outcome, verdict, figures, champion, by=overruled))
    for reason in verdict.reasons:
        progress.say(f"{class_name} version {version}: {reason}")
    if outcome == REFUSED:
        raise EugenieError(
            f"the gate refuses {class_name} version {version}: " + "; ".join(verdict.against),
            f"{'no version is champion' if champion is None else 'the champion stays'}; --force promotes it "
            "anyway and records who did",
            ExitCode.REFUSED,
        )
    return GatedPromotion(promotion.promote(site, class_name, version, progress), verdict, overruled)


def _judged(
    evaluate: Callable[[int, int | None], Mapping[str, Any]], version: int, champion: int | None,
    gate: PromotionGate, force: bool,
) -> tuple[Verdict, Mapping[str, Any]]:  # fmt: skip
    """The verdict and both versions' figures. With `force`, a failed evaluation does not prevent the promotion.

    `evaluate` takes a version and an optional candidate, and returns the report.
    """
    try:
        if champion is None:
            report = evaluate(version, None)
            return judge_alone(report, gate), _figures(candidate=report)
        report = evaluate(champion, version)
    except EugenieError as problem:
        if not force:
            raise
        reason = f"it could not be judged: {problem.reason}"
        return Verdict(False, (reason,), (reason,)), {}
    candidate = candidate_of(report)
    return judge(candidate, report, gate), _figures(candidate=candidate, champion=report)


def _figures(**reports: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: {key: report[key] for key in ("version", *_FIGURES) if key in report} for name, report in reports.items()
    }  # fmt: skip


def _evaluate(
    site: Site, opened: OpenClass, gate: PromotionGate, progress: Progress, version: int, candidate: int | None
) -> Mapping[str, Any]:
    """The JSON of `eugenie evaluate` for a version and an optional candidate, on the gate's rows and labels."""
    labels = (
        read_labels(site.resolve(gate.labels), Labelled(site.timezone, site.assets, site.classes))
        if gate.labels is not None
        else None
    )
    start_ms, end_ms = _period(opened, gate)
    options = EvaluationOptions(labels, start_ms, end_ms, version, candidate, with_baselines=False)
    study = PairStudy(opened.fleet, labels)
    evaluation = evaluate_class(opened, options, progress, watch=study)
    return report_of(opened, evaluation, study).to_json()


def _period(opened: OpenClass, gate: PromotionGate) -> tuple[int | None, int | None]:
    if gate.last is not None:
        assets = opened.fleet.assets
        ends = [part.end_ms for part in opened.history.summary() if part.asset in assets]
        return (max(ends) - gate.last if ends else None), None
    return tuple(None if instant is None else to_ms(instant) for instant in (gate.start, gate.end))  # type: ignore[return-value]


def _tags(
    outcome: str, verdict: Verdict, figures: Mapping[str, Any], champion: int | None, *, by: bool
) -> Mapping[str, str]:
    return {
        "verdict": outcome,
        "reasons": "\n".join(verdict.reasons),
        "figures": json.dumps(figures),
        "champion": "none" if champion is None else str(champion),
        "at": iso(int(time.time() * 1000)),
        "by": _user() if by else "",
    }


def _note(registry: Registry, name: str, version: int, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        registry.client.set_model_version_tag(name, str(version), f"{GATE_TAG}.{key}", value[:_LONGEST_TAG])


def _user() -> str:
    """The user's name; the user id where the system has no name for it, as in many containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
