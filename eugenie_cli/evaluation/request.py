"""An evaluation as a person asks for it: texts become instants, a file becomes labels."""

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
    """Evaluate the named classes, or all, log the figures to MLflow and write a page of each.

    Local times are in the site's zone. `report_to`: the page; by default, in the workspace,
    `reports/<class>/<version>.html`. `candidate`: a version to judge beside it, on the same rows.

    Raises:
        EugenieError: an unknown class, an instant that is none, faulty labels, or as `evaluate_class`.
    """
    chosen = site.classes_named(class_names)
    if len(chosen) > 1 and (scores_to or anomalies_to or report_to):
        raise EugenieError(
            "a file of scores or anomalies, or a report, is of one class", "name one with --class", ExitCode.USAGE
        )
    start_ms, end_ms = instant_of(site, "--from", start), instant_of(site, "--to", end)
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise EugenieError(f"--to {end} is not after --from {start}", "exchange them", ExitCode.USAGE)
    known = read_labels(labels, site) if labels is not None else None
    for name in chosen:
        study = PairStudy(site, name, known)
        one = evaluate_class(
            site,
            name,
            known,
            start_ms,
            end_ms,
            version,
            progress,
            scores_to=scores_to,
            anomalies_to=anomalies_to,
            watch=study,
            candidate=candidate,
        )
        track(site, one, progress)
        report = report_of(site, one, study)
        where = report_to or workspace_of(site).reports / name / f"{one.version}.html"
        write_page(report, where)
        progress.say(f"report: {where}")
        yield report


def report_of(site: Site, one: Evaluation, study: PairStudy) -> EvaluationReport:
    """An evaluation with what was watched beside it."""
    equipment = site.classes[one.class_name]
    return EvaluationReport(
        site=site.site,
        timezone=site.timezone,
        made=int(time.time() * 1000),
        step_ms=equipment.step,
        window=equipment.model.window,
        budget=equipment.alarm.budget,
        on_delay=equipment.alarm.on_delay,
        off_delay=equipment.alarm.off_delay,
        evaluation=one,
        findings=study.findings(),
        provenance=provenance(site, one.class_name, one.version),
        gate=equipment.promotion,
        candidate=study.candidate(),
    )


def instant_of(site: Site, option: str, text: str | None) -> int | None:
    """ms since 1970 UTC of what was given for an option; a local time is in the site's zone."""
    if text is None:
        return None
    try:
        return to_ms(localize(parse_instant(text), ZoneInfo(site.timezone)))
    except ValueError as error:
        raise EugenieError(f"{option}: {error}", "write it as 2026-01-03T06:00:00Z", ExitCode.USAGE) from error
