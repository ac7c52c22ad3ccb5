"""Runs an evaluation as requested on the command line: parses instants and reads the labels file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from eugenie_cli.episodes.delays import Delays
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.evaluation.backtest import alarm_rule
from eugenie_cli.evaluation.evaluate import Evaluation, evaluate_class
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.mlflow_metrics import track
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.evaluation.page.render import write_page
from eugenie_cli.evaluation.paired_study import PairStudy
from eugenie_cli.evaluation.provenance import provenance
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.field_types import localize, parse_instant, to_ms
from eugenie_cli.site.labels import Labelled, read_labels
from eugenie_cli.site.schema import Site
from eugenie_cli.training.open_class import OpenClass, open_class
from eugenie_cli.training.result import FailedClass


@dataclass(frozen=True)
class EvaluationRequest:
    """What a user asks for, as it was written: `EvaluationOptions` before labels and instants are parsed."""

    class_names: Sequence[str] = ()
    """Empty: all classes of the site."""
    labels: Path | None = None
    start: str | None = None
    """A local time is in the site's time zone."""
    end: str | None = None
    version: str = "champion"
    candidate: str | None = None
    """Another version to judge on the same rows."""
    scores_to: Path | None = None
    anomalies_to: Path | None = None
    report_to: Path | None = None
    """The report page; by default `reports/<class>/<version>.html` in the workspace."""

    @property
    def names_a_file(self) -> bool:
        """Whether it names an output file, which holds one class."""
        return any((self.scores_to, self.anomalies_to, self.report_to))


def evaluate_site(
    site: Site, request: EvaluationRequest, progress: Progress = SILENT
) -> Iterator[EvaluationReport | FailedClass]:
    """Evaluate the named classes, or all, log the figures to MLflow, and write a report page for each.

    A class that cannot be judged, such as one without a version, does not stop the others.

    Raises:
        EugenieError: an unknown class, an invalid instant or labels file, or as `evaluate_class` for a single class.
    """
    chosen = site.classes_named(request.class_names)
    if len(chosen) > 1 and request.names_a_file:
        raise EugenieError(
            "a file of scores or anomalies, or a report, holds one class", "choose one with --class", ExitCode.USAGE
        )
    options = _parse(site, request)
    for name in chosen:
        try:
            yield _evaluate(open_class(site, name), request, options, progress)
        except EugenieError as problem:
            if len(chosen) == 1:
                raise
            yield FailedClass(name, problem.reason, problem.hint)


def _evaluate(
    opened: OpenClass, request: EvaluationRequest, options: EvaluationOptions, progress: Progress
) -> EvaluationReport:
    study = PairStudy(opened.fleet, options.labels)
    evaluation = evaluate_class(opened, options, progress, watch=study)
    report = report_of(opened, evaluation, study)
    page = request.report_to or opened.workspace.reports / opened.fleet.name / f"{evaluation.version}.html"
    write_page(report, page)
    track(opened.registry, evaluation, page, progress)
    progress.say(f"report: {page}")
    return report


def _parse(site: Site, request: EvaluationRequest) -> EvaluationOptions:
    start_ms, end_ms = (
        instant_of(site.timezone, option, text) for option, text in (("--from", request.start), ("--to", request.end))
    )
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise EugenieError(f"--to {request.end} is not after --from {request.start}", "swap them", ExitCode.USAGE)
    labelled = Labelled(site.timezone, site.assets, site.classes)
    return EvaluationOptions(
        labels=read_labels(request.labels, labelled) if request.labels is not None else None,
        start_ms=start_ms,
        end_ms=end_ms,
        version=request.version,
        candidate=request.candidate,
        scores_to=request.scores_to,
        anomalies_to=request.anomalies_to,
    )


def report_of(opened: OpenClass, evaluation: Evaluation, study: PairStudy) -> EvaluationReport:
    """The report of an evaluation that `study` watched."""
    fleet, equipment = opened.fleet, opened.fleet.equipment
    rule = evaluation.rule or alarm_rule(equipment, Delays())
    return EvaluationReport(
        site=fleet.site_name,
        timezone=fleet.timezone,
        made=int(time.time() * 1000),
        step_ms=equipment.step,
        window=equipment.model.window,
        budget=equipment.alarm.row_share,
        on_delay=rule.on_delay,
        off_delay=rule.off_delay,
        evaluation=evaluation,
        findings=study.findings(),
        provenance=provenance(opened.registry, evaluation.class_name, evaluation.version),
        gate=equipment.promotion,
        candidate=study.candidate(),
    )


def instant_of(timezone: str, option: str, text: str | None) -> int | None:
    """Parse an option's value as ms since 1970 UTC; a local time is in `timezone`."""
    if text is None:
        return None
    try:
        return to_ms(localize(parse_instant(text), ZoneInfo(timezone)))
    except ValueError as error:
        raise EugenieError(f"{option}: {error}", "write it as 2026-01-03T06:00:00Z", ExitCode.USAGE) from error
