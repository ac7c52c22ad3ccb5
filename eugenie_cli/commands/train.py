"""`eugenie train`: trains a model version for each class from the history."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import ClassArgument, ClassOption, Output, OutputOption, SiteOption, both
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", metavar="COUNT", min=1, help="Number of epochs. Default: that of the site file."),
]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Also train classes whose data and settings have not changed.")
]
JobsOption = Annotated[
    int, typer.Option("--jobs", metavar="COUNT", min=1, help="Number of classes to train in parallel.")
]
ContinueOption = Annotated[bool, typer.Option("--continue", help="Start from the champion's network.")]

AcceptAlarmsOption = Annotated[
    bool,
    typer.Option("--accept-alarms", help="Learn new rows as normal even if the champion was in alarm all the time."),
]


def train(
    classes: ClassArgument = None,
    site: SiteOption = None,
    class_names: ClassOption = None,
    epochs: EpochsOption = None,
    again: AgainOption = False,
    jobs: JobsOption = 1,
    from_champion: ContinueOption = False,
    accept_alarms: AcceptAlarmsOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Train each class on its normal history and register the result. The first version becomes champion.

    Labelled faults (`promotion: {labels}`) and new rows in which the champion was in alarm for long are left out and
    named.

    A class whose data, settings and code have not changed since a registered version keeps that version. An interrupted
    training run resumes from its last completed epoch. While the tracking server is unreachable, runs are kept in the
    workspace; `eugenie models sync` or the next training run uploads them.
    """
    from eugenie_cli.site.load import open_site
    from eugenie_cli.training.classes import train_classes
    from eugenie_cli.training.devices import use_one_thread_per_operation
    from eugenie_cli.training.options import TrainingOptions

    console = Console()
    opened = open_site(site)
    names = opened.classes_named(both(classes, class_names))
    use_one_thread_per_operation()
    done = train_classes(opened, names, console, TrainingOptions(epochs, again, from_champion, accept_alarms), jobs)
    if output is Output.json:
        console.json(done.trained)
    else:
        console.table(
            ["class", "version", "aliases", "validation loss", "run"],
            [
                (
                    trained.class_name,
                    "-" if trained.version is None else trained.version,
                    "spooled" if trained.spooled else ", ".join(trained.aliases),
                    _loss(trained.metrics),
                    trained.run_id,
                )
                for trained in done.trained
            ],
            right=["version", "validation loss"],
        )
    for failed in done.failed:
        console.error(f"{failed.class_name}: {failed.reason}", failed.hint)
    if done.failed:
        raise typer.Exit(ExitCode.PARTLY if done.trained else ExitCode.FAILED)


def _loss(metrics: dict[str, float]) -> str:
    loss = metrics.get("best_validation_loss")
    return "-" if loss is None else f"{loss:.3f}"
