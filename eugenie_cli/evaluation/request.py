"""Runs an evaluation as requested on the command line: parses instants and reads the labels file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.evaluation.evaluate import Evaluation, evaluate_class
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.labels import read_labels
from eugenie_cli.evaluation.mlflow_metrics import track
from eugenie_cli.evaluation.page.render import write_page
from eugenie_cli.evaluation.paired_study import PairStudy
from eugenie_cli.evaluation.provenance import provenance
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.field_types import localize, parse_instant, to_ms
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site


def evaluate_site(
    site: Site,
    class_names: Sequence[str] = (),
    *,
    labels: Path | None = None,
    start: str | None = None,
    end: str | None = None,
    version: str = "champion",
    candidate: str | None = None,
    scores_to: Path | None = None,
    anomalies_to: Path | None = None,
    report_to: Path | None = None,
    progress: Progress = SILENT,
) -> Iterator[EvaluationReport]:
    """Evaluate the named classes, or all, log the figures to MLflow, and write a report page for each.

    Local times are in the site's time zone. `report_to` is the page; by default `reports/<class>/<version>.html` in the
    workspace. `candidate`: another version to judge on the same rows.

    Raises:
        EugenieError: an unknown class, an invalid instant or labels file, or as `evaluate_class`.
    """
    chosen = site.classes_named(class_names)
    if len(chosen) > 1 and (scores_to or anomalies_to or report_to):
        raise EugenieError(
            "a file of scores or anomalies, or a report, holds one class", "choose one with --class", ExitCode.USAGE
        )
    start_ms, end_ms = instant_of(site, "--from", start), instant_of(site, "--to", end)
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise EugenieError(f"--to {end} is not after --from {start}", "swap them", ExitCode.USAGE)
    parsed_labels = read_labels(labels, site) if labels is not None else None
    for name in chosen:
        study = PairStudy(site, name, parsed_labels)
        evaluation = evaluate_class(
            site,
            name,
            parsed_labels,
            start_ms,
            end_ms,
            version,
            progress,
            scores_to=scores_to,
            anomalies_to=anomalies_to,
            watch=study,
            candidate=candidate,
        )
        track(site, evaluation, progress)
        report = report_of(site, evaluation, study)
        page = report_to or workspace_of(site).reports / name / f"{evaluation.version}.html"
        write_page(report, page)
        progress.say(f"report: {page}")
        yield report


def report_of(site: Site, evaluation: Evaluation, study: PairStudy) -> EvaluationReport:
    """The report of an evaluation that `study` watched."""
    equipment = site.classes[evaluation.class_name]
    return EvaluationReport(
        site=site.site,
        timezone=site.timezone,
        made=int(time.time() * 1000),
        step_ms=equipment.step,
        window=equipment.model.window,
        budget=equipment.alarm.budget,
        on_delay=equipment.alarm.on_delay,
        off_delay=equipment.alarm.off_delay,
        evaluation=evaluation,
        findings=study.findings(),
        provenance=provenance(site, evaluation.class_name, evaluation.version),
        gate=equipment.promotion,
        candidate=study.candidate(),
    )


def instant_of(site: Site, option: str, text: str | None) -> int | None:
    """Parse an option's value as ms since 1970 UTC; a local time is in the site's time zone."""
    if text is None:
        return None
    try:
        return to_ms(localize(parse_instant(text), ZoneInfo(site.timezone)))
    except ValueError as error:
        raise EugenieError(f"{option}: {error}", "write it as 2026-01-03T06:00:00Z", ExitCode.USAGE) from error
