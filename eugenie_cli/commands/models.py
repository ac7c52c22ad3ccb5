"""`eugenie models`: the registered versions and the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.command import Command
from eugenie_cli.commands.options import (
    ClassArgument,
    ClassOption,
    Output,
    OutputOption,
    SiteOption,
    ToOption,
    both,
)
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

if TYPE_CHECKING:
    from eugenie_cli.evaluation.drift import ClassDrift

app = typer.Typer(name="models", help="Model versions: list, promote, roll back, drift, sync.", no_args_is_help=True)

OneClassArgument = Annotated[str, typer.Argument(metavar="CLASS", help="Equipment class.")]
VersionArgument = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Registered version.")]


@app.command("list", cls=Command)
def list_versions(
    classes: ClassArgument = None,
    site: SiteOption = None,
    class_names: ClassOption = None,
    output: OutputOption = Output.table,
) -> None:
    """List the versions of each class, newest first."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.training.registry import Registry

    opened = open_site(site)
    registry = Registry(opened)
    versions = [
        version for name in opened.classes_named(both(classes, class_names)) for version in registry.versions(name)
    ]
    _show(versions, output)


@app.command(cls=Command)
def promote(
    class_name: OneClassArgument,
    version: VersionArgument,
    site: SiteOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote even if the gate fails; the override is recorded with your name.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Make a version champion: publish it, serve it with the former champion, then instead of it.

    If the class has `promotion` in the site file, the version is first judged against the champion, and a worse one is
    refused.
    """
    from eugenie_cli.evaluation.promotion import promote
    from eugenie_cli.site.load import open_site

    console = Console()
    done = promote(open_site(site), class_name, version, force=force, progress=console)
    _show([done.promotion.registered], output)


@app.command(cls=Command)
def rollback(class_name: OneClassArgument, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Make the former champion champion again, as `promote` does."""
    from eugenie_cli.serving.promotion import rollback
    from eugenie_cli.site.load import open_site

    console = Console()
    _show([rollback(open_site(site), class_name, console).registered], output)


@app.command()
def sync(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Upload training runs waiting in the workspace to the tracking server, and register their versions."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.training import sync

    console = Console()
    done = sync.send(open_site(site), console)
    if output is Output.json:
        console.json(done)
    else:
        rows = [(run.class_name, run.version, ", ".join(run.aliases), run.run_id) for run in done.sent]
        console.table(["class", "version", "aliases", "run"], rows, right=["version"])
    for run in done.unsent:
        console.error(f"{run.class_name}: the spooled run {run.spooled} was not uploaded: {run.reason}", run.hint)
    if done.unsent:
        raise typer.Exit(ExitCode.PARTLY if done.sent else ExitCode.FAILED)


@app.command(cls=Command)
def drift(
    classes: ClassArgument = None,
    site: SiteOption = None,
    class_names: ClassOption = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="INSTANT", help="Start at this instant. Default: the end of the training data."),
    ] = None,
    end: ToOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show how far recent rows deviate from the champion's training data, by sensor and asset."""
    from eugenie_cli.evaluation.drift import drift_of
    from eugenie_cli.evaluation.request import instant_of
    from eugenie_cli.site.load import open_site
    from eugenie_cli.training.open_class import open_class

    console, opened = Console(), open_site(site)
    start_ms, end_ms = (
        instant_of(opened.timezone, option, text) for option, text in (("--from", start), ("--to", end))
    )
    for name in opened.classes_named(both(classes, class_names)):
        class_drift = drift_of(open_class(opened, name), start_ms, end_ms, console)
        if output is Output.json:
            console.json(class_drift.to_json())
        else:
            _show_drift(console, class_drift)


def _show_drift(console: Console, class_drift: ClassDrift) -> None:
    from eugenie_cli.evaluation.drift_table import COLUMNS, drift_rows

    title = f"{class_drift.class_name} version {class_drift.version}: recent rows compared with its training data"
    console.table(COLUMNS, drift_rows(class_drift), title=title, right=COLUMNS[2:-1])
    for note in class_drift.notes:
        console.say(note)


def _show(versions: list, output: Output) -> None:
    from eugenie_cli.episodes.records import iso

    console = Console()
    if output is Output.json:
        console.json(
            [
                {
                    "class": version.name,
                    "version": version.version,
                    "type": version.type,
                    "aliases": list(version.aliases),
                    "gate": version.gate,
                    "created": iso(version.created),
                    "run_id": version.run_id,
                    "run_deleted": version.orphaned,
                    "metrics": version.metrics,
                }
                for version in versions
            ]
        )
        return
    rows = []
    for version in versions:
        metrics = version.metrics or {}
        loss, margin = metrics.get("best_validation_loss"), metrics.get("margin")
        rows.append(
            (
                version.name,
                version.version,
                "(run deleted)" if version.orphaned else version.type,
                ", ".join(version.aliases),
                version.gate,
                iso(version.created),
                "" if loss is None else f"{loss:.3f}",
                "" if margin is None else f"{margin:.2f}",
            )
        )
    columns = ["class", "version", "type", "aliases", "gate", "created", "validation loss", "margin"]
    console.table(columns, rows, right=["version", "validation loss", "margin"])
