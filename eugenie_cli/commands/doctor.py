"""`eugenie doctor`: can this machine run a site's engines, and what to do where it cannot."""

from __future__ import annotations

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode


def doctor(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Check the machine: Python, packages, Java, memory, disk; with --site also its jars, engines and container."""
    from eugenie_cli.operations.doctor import check
    from eugenie_cli.site.load import open_site

    console = Console()
    found = check(open_site(site) if site is not None else None)
    if output is Output.json:
        console.json(found)
    else:
        rows = [("ok" if one.ok else "FAULT", one.name, one.found, one.hint) for one in found]
        console.table(["", "what", "found", "next"], rows)
    if not all(one.ok for one in found):
        raise typer.Exit(ExitCode.FAILED)
