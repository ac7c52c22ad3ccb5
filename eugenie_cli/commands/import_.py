"""`eugenie import`: imports sources into the history."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

COLUMNS = (
    "source",
    "new",
    "changed",
    "unchanged",
    "failed",
    "readings",
    "bad quality",
    "rejected",
    "from",
    "to",
)


def import_(
    source: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Names of sources. Default: all.", show_default=False)
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also read unchanged files again.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop what the site file no longer leads to, after saying what.")
    ] = False,
    site: SiteOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Import the site's sources into its history. Skips what was imported and has not changed.

    Exit code 6: a file could not be read, gave no readings, lost more than half of its rows, or has
    implausible instants: before 1990, ahead of this machine's clock, or the same for all readings of a sensor.
    """
    from eugenie_cli.history.assessment.first_look import first_look
    from eugenie_cli.history.quality_tables import finding_lines
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.site.load import open_site
    from eugenie_cli.sources.importing import import_sources
    from eugenie_cli.sources.pruning import prune as drop_leftovers
    from eugenie_cli.sources.tables import import_notes, import_rows

    console = Console()
    opened = open_site(site)
    reports = import_sources(opened, source or (), console, again=again)
    history = open_history(opened)
    if prune:
        drop_leftovers(history, reports, source or (), console)
    for note in import_notes(reports):
        console.say(note)
    for line in finding_lines(first_look(history, opened.classes, opened.assets)):
        console.say(line)
    if output is Output.json:
        console.json(reports)
    else:
        console.table(COLUMNS, import_rows(reports), right=COLUMNS[1:8])
    if not all(report.whole for report in reports):
        raise typer.Exit(ExitCode.PARTLY)
