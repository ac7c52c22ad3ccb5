"""`eugenie history compact | vacuum | verify`: what the files of the history need now and then."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

COMPACT_COLUMNS = ("source", "files before", "files after", "readings merged")
VERIFY_COLUMNS = ("file", "damage", "source", "items", "readings", "next")


def compact(
    source: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Names of sources. Default: all.", show_default=False)
    ] = None,
    site: SiteOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Merge small files of the history into few large ones, which are read many times faster.

    Readings, items and the fingerprint stay the same. May be interrupted at any time. The merged files' originals stay
    until `history vacuum` or the next import.
    """
    from eugenie_cli.history.compaction import compact as merge
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.site.load import open_site
    from eugenie_cli.site.names import named

    console = Console()
    opened = open_site(site)
    history = open_history(opened)
    held = dict.fromkeys(history.sources())
    for name in source or ():
        named("source", name, held, opened.site)
    report = [merge(history, name, console) for name in source or held]
    if output is Output.json:
        console.json(report)
    else:
        rows = ((one.source, f"{one.before:,}", f"{one.after:,}", f"{one.readings:,}") for one in report)
        console.table(COMPACT_COLUMNS, rows, right=COMPACT_COLUMNS[1:])


def vacuum(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Remove files that belong to no reading: what killed imports left, and what was replaced, dropped or merged.

    Exit code 6: a source is being imported; its files were left alone.
    """
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.site.load import open_site
    from eugenie_cli.sources.leftovers import counted

    console = Console()
    report = open_history(open_site(site)).vacuum(everything=True)
    if output is Output.json:
        console.json(report)
    else:
        console.line(f"removed {counted(report.files, 'file')}, {report.size / 1e6:,.1f} MB")
    for name in report.busy:
        console.say(f"{name} is being imported: its files were left alone; run this command again when it ends")
    if report.busy:
        raise typer.Exit(ExitCode.PARTLY)


def verify(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Compare every file of the history with the manifest: SHA-256, readings, instants. Changes nothing.

    Exit code 6: something is damaged. The report says which items are affected, and what to do.
    """
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.history.verification import verify as check
    from eugenie_cli.site.load import open_site
    from eugenie_cli.sources.leftovers import counted

    console = Console()
    report = check(open_history(open_site(site)), console)
    if output is Output.json:
        console.json(report)
    else:
        if report.damaged:
            rows = (
                (one.file, one.what, one.source, _listed(one.items), f"{one.readings:,}", one.next)
                for one in report.damaged
            )
            console.table(VERIFY_COLUMNS, rows, right=("readings",))
        sound = "damaged" if report.damaged else "as the manifest says"
        damaged = f"{len(report.damaged)} of " if report.damaged else ""
        files, readings = counted(report.files, "file"), counted(report.readings, "reading")
        console.line(f"{damaged}{files} with {readings}: {sound}")
    if report.unlisted:
        spare = f"{counted(report.unlisted, 'file')} ({report.unlisted_bytes / 1e6:,.1f} MB)"
        console.say(f"{spare} belong to no reading: `eugenie history vacuum` removes them")
    if report.damaged:
        raise typer.Exit(ExitCode.PARTLY)


SHOWN = 3  # items in a row of the table


def _listed(items: tuple[str, ...]) -> str:
    more = f" and {len(items) - SHOWN:,} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
