"""`eugenie evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.options import ClassArgument, ClassOption, Output, OutputOption, SiteOption, ToOption, both
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from eugenie_cli.evaluation.comparison import Candidate
    from eugenie_cli.evaluation.evaluate import Evaluation
    from eugenie_cli.evaluation.evaluation_report import EvaluationReport


def evaluate(
    classes: ClassArgument = None,
    site: SiteOption = None,
    class_names: ClassOption = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Known faults, a CSV file: asset,start,end,sensors (separated by ;)."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="Start at this instant. Default: all history.")
    ] = None,
    end: ToOption = None,
    version: Annotated[
        str,
        typer.Option("--model-version", metavar="VERSION", help="Model version: a number, champion or challenger."),
    ] = "champion",
    candidate: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Second version to judge on the same rows, such as challenger."),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each row's score to this .csv or .parquet.")
    ] = None,
    anomalies: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write anomalies to this file, as JSON lines.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the report, a web page, to this file. Default: reports/CLASS/ in the workspace.",
        ),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Judge a model on history, against labels if given, and compare it with classical detectors."""
    from eugenie_cli.evaluation.request import evaluate_site
    from eugenie_cli.site.load import open_site

    console = Console()
    reports = evaluate_site(
        open_site(site), both(classes, class_names), labels=labels, start=start, end=end, version=version,
        candidate=candidate, scores_to=scores, anomalies_to=anomalies, report_to=report, progress=console,
    )  # fmt: skip
    for one in reports:
        if output is Output.json:
            console.json(one.to_json())
        else:
            _show(console, one.evaluation)
            _show_verdict(console, one)


def _show(console: Console, one: Evaluation) -> None:
    from eugenie_cli.evaluation.report import COLUMNS, COLUMNS_WITHOUT_LABELS, table_row

    columns = COLUMNS if one.model.point else COLUMNS_WITHOUT_LABELS
    rows = [table_row(f"version {one.version}", one.model)]
    rows += [table_row(name, baseline) for name, baseline in one.baselines.items()]
    title = f"{one.class_name} version {one.version}: {one.judged_rows:,} rows of {one.assets} assets"
    console.table(columns, rows, title=title, right=columns[1:])
    if one.candidate is not None:
        _show_candidate(console, one, one.candidate)
    for note in one.notes:
        console.say(note)


def _show_verdict(console: Console, report: EvaluationReport) -> None:
    verdict = report.verdict()
    if verdict is None or report.evaluation.candidate is None:
        return
    for words in verdict.reasons:
        console.say(f"{'against' if words in verdict.against else 'for'}: {words}")
    said = "lets it pass" if verdict.promote else "refuses it"
    console.say(f"{report.evaluation.class_name} version {report.evaluation.candidate.version}: the gate {said}.")


def _show_candidate(console: Console, one: Evaluation, candidate: Candidate) -> None:
    from eugenie_cli.evaluation.comparison import METHOD
    from eugenie_cli.evaluation.comparison_table import comparison_rows

    columns = ("figure", f"version {one.version}", f"version {candidate.version}", "difference", "95 % interval", "")
    console.table(
        columns, comparison_rows(one.model, candidate), right=columns[1:5],
        title=f"{one.class_name}: version {candidate.version} beside it",
    )  # fmt: skip
    console.say(f"Differences: {METHOD}.")
