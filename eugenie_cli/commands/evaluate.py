"""`eugenie evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.options import ClassArgument, ClassOption, Output, OutputOption, SiteOption, ToOption, both
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

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
    """Judge a model on history, against labels if given, and compare it with classical detectors.

    A class or an asset that cannot be judged is named and does not stop the others.
    """
    from eugenie_cli.evaluation.request import EvaluationRequest, evaluate_site
    from eugenie_cli.site.load import open_site
    from eugenie_cli.training.result import FailedClass

    console = Console()
    request = EvaluationRequest(
        both(classes, class_names), labels, start, end, version, candidate,
        scores_to=scores, anomalies_to=anomalies, report_to=report,
    )  # fmt: skip
    failed, judged = 0, 0
    for outcome in evaluate_site(open_site(site), request, console):
        if isinstance(outcome, FailedClass):
            failed += 1
            console.error(f"{outcome.class_name}: {outcome.reason}", outcome.hint)
            continue
        judged += 1
        if output is Output.json:
            console.json(outcome.to_json())
        else:
            _show(console, outcome.evaluation)
            for sentence in outcome.outlook:
                console.say(f"{outcome.evaluation.class_name}: {sentence}")
            _show_verdict(console, outcome)
    if failed:
        raise typer.Exit(ExitCode.PARTLY if judged else ExitCode.FAILED)


def _show(console: Console, evaluation: Evaluation) -> None:
    from eugenie_cli.evaluation.report import COLUMNS, COLUMNS_WITHOUT_LABELS, table_row

    columns = COLUMNS if evaluation.model.point else COLUMNS_WITHOUT_LABELS
    rows = [table_row(f"version {evaluation.version}", evaluation.model)]
    rows += [table_row(name, baseline) for name, baseline in evaluation.baselines.items()]
    rows_and_assets = f"{evaluation.judged_rows:,} rows of {evaluation.assets} assets"
    title = f"{evaluation.class_name} version {evaluation.version}: {rows_and_assets}"
    console.table(columns, rows, title=title, right=columns[1:])
    if evaluation.candidate is not None:
        _show_candidate(console, evaluation, evaluation.candidate)
    for note in evaluation.notes:
        console.say(note)


def _show_verdict(console: Console, report: EvaluationReport) -> None:
    verdict = report.verdict()
    if verdict is None or report.evaluation.candidate is None:
        return
    for reason in verdict.reasons:
        console.say(f"{'against' if reason in verdict.against else 'for'}: {reason}")
    decision = "accepts" if verdict.promote else "refuses"
    version = report.evaluation.candidate.version
    console.say(f"the gate {decision} {report.evaluation.class_name} version {version}.")


def _show_candidate(console: Console, evaluation: Evaluation, candidate: Candidate) -> None:
    from eugenie_cli.evaluation.comparison import METHOD
    from eugenie_cli.evaluation.comparison_table import comparison_rows

    columns = (
        "figure",
        f"version {evaluation.version}",
        f"version {candidate.version}",
        "difference",
        "95 % interval",
        "",
    )
    console.table(
        columns, comparison_rows(evaluation.model, candidate), right=columns[1:5],
        title=f"{evaluation.class_name}: comparison with version {candidate.version}",
    )  # fmt: skip
    console.say(f"Differences: {METHOD}.")
