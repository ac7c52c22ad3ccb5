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
    from eugenie_cli.sources.look.looking import Look

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
        list[str] | None,
        typer.Argument(
            metavar="SOURCE", help="Names of sources; with --look, files. Default: all.", show_default=False
        ),
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
    look: Annotated[
        bool, typer.Option("--look", help="Import nothing; look at files, and print an entry of `sources` for them.")
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
    from eugenie_cli.sources.importing import browse_source, import_sources
    from eugenie_cli.sources.pruning import prune as drop_leftovers
    from eugenie_cli.sources.tables import import_notes, import_rows

    console = Console()
    if look:
        _look(source or (), site, console, output)
        return
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


def _look(files: Sequence[str], site: str | None, console: Console, output: Output) -> None:
    from pathlib import Path

    from eugenie_cli.site.load import FOLDER, open_site
    from eugenie_cli.sources.look.looking import look
    from eugenie_cli.sources.look.tables import plain

    if not files:
        raise EugenieError("--look needs files", "name them: eugenie import --look exports/*.csv", ExitCode.USAGE)
    opened = open_site(site) if site is not None or any(Path(FOLDER).glob("*.y*ml")) else None
    if opened is None:
        found = look(files, Path.cwd(), progress=console)
    else:
        taken = [source.name for source in opened.sources]
        found = look(files, opened.base, opened.timezone, taken, console)
    if output is Output.json:
        console.json(plain(found))
    else:
        show_look(found, console)
        if found.proposals:
            console.line(found.text.sources().removesuffix("\n"))
    end_of_look(found)


def show_look(found: Look, console: Console) -> None:
    """Print what was found on stderr."""
    from eugenie_cli.sources.look.tables import COLUMNS as FOUND
    from eugenie_cli.sources.look.tables import finding_rows, sentences

    if found.proposals:
        Console(console.err, console.err).table(FOUND, finding_rows(found))
    for sentence in sentences(found):
        console.say(sentence)


def end_of_look(found: Look) -> None:
    """End with an exit code that says whether every file has a source that reads it."""
    if not found.proposals:
        raise EugenieError("no source reads any of these files", "see above why, and what to do")
    if not found.is_right:
        raise typer.Exit(ExitCode.PARTLY)
