"""`eugenie import`: imports sources into the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError, ExitCode

if TYPE_CHECKING:
    from eugenie_cli.sources.browse import Browsed

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
    browse: Annotated[
        bool, typer.Option("--browse", help="Import nothing; list the tags of one source, and what it has of each.")
    ] = False,
    match: Annotated[
        str | None, typer.Option("--match", metavar="PATTERN", help="Only tags like 'line 1/*'; implies --browse.")
    ] = None,
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
    from eugenie_cli.sources.importing import browse_source, import_sources
    from eugenie_cli.sources.pruning import prune as drop_leftovers
    from eugenie_cli.sources.tables import import_notes, import_rows

    console = Console()
    opened = open_site(site)
    if browse or match is not None:
        if source is None or len(source) != 1:
            hint = "name it: eugenie import SOURCE --browse"
            raise EugenieError("--browse lists the tags of one source", hint, ExitCode.USAGE)
        _show(browse_source(opened, source[0], match), console, output)
        return
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


def _show(tags: Sequence[Browsed], console: Console, output: Output) -> None:
    from eugenie_cli.sources.browse import COLUMNS as BROWSED
    from eugenie_cli.sources.browse import browse_rows

    if output is Output.json:
        console.json(tags)
    else:
        console.table(BROWSED, browse_rows(tags), right=BROWSED[3:4])
