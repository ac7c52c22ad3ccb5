"""`eugenie models`: the registered versions, and which one is champion."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import ClassOption, Output, OutputOption, SiteOption
from eugenie_cli.console import Console

app = typer.Typer(name="models", help="Registered model versions: list, promote, roll back.", no_args_is_help=True)

ClassArgument = Annotated[str, typer.Argument(metavar="CLASS", help="Equipment class.")]
VersionArgument = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Registered version.")]


@app.command("list")
def list_versions(site: SiteOption = None, class_name: ClassOption = None, output: OutputOption = Output.table) -> None:
    """The versions of each class, the newest first."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.training.registry import Registry

    opened = open_site(site)
    registry = Registry(opened)
    versions = [version for name in class_name or opened.classes for version in registry.versions(name)]
    _show(versions, output)


@app.command()
def promote(
    class_name: ClassArgument,
    version: VersionArgument,
    site: SiteOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Make a version champion: published, served beside the old one, and then instead of it."""
    from eugenie_cli.serving.promotion import promote
    from eugenie_cli.site.load import open_site

    console = Console()
    _show([promote(open_site(site), class_name, version, console).registered], output)


@app.command()
def rollback(class_name: ClassArgument, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Make the former champion champion again, as `promote` does."""
    from eugenie_cli.serving.promotion import rollback
    from eugenie_cli.site.load import open_site

    console = Console()
    _show([rollback(open_site(site), class_name, console).registered], output)


def _show(versions: list, output: Output) -> None:
    from eugenie_cli.episodes.records import iso

    console = Console()
    if output is Output.json:
        console.json(
            [
                {
                    "class": version.name,
                    "version": version.version,
                    "aliases": list(version.aliases),
                    "created": iso(version.created),
                    "run_id": version.run_id,
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
                ", ".join(version.aliases),
                iso(version.created),
                "" if loss is None else f"{loss:.3f}",
                "" if margin is None else f"{margin:.2f}",
            )
        )
    columns = ["class", "version", "aliases", "created", "validation loss", "margin"]
    console.table(columns, rows, right=["version", "validation loss", "margin"])
