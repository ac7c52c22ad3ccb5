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
    site: SiteOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Import the site's sources into its history. Skips what was imported and has not changed.

    Exit code 6: a file could not be read, gave no readings, or lost more than half of its rows.
    """
    from eugenie_cli.site.load import open_site
    from eugenie_cli.sources.importing import import_sources
    from eugenie_cli.sources.tables import import_notes, import_rows

    console = Console()
    reports = import_sources(open_site(site), source or (), console, again=again)
    for note in import_notes(reports):
        console.say(note)
    if output is Output.json:
        console.json(reports)
    else:
        console.table(COLUMNS, import_rows(reports), right=COLUMNS[1:8])
    if not all(report.whole for report in reports):
        raise typer.Exit(ExitCode.PARTLY)
