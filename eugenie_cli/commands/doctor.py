"""`eugenie doctor`: checks whether this machine can run a site's engines, and says what to do if not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

if TYPE_CHECKING:
    from eugenie_cli.engines.finding import Check


def doctor(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Check the machine: Python, packages, Java, memory, disk; with --site also its jars, engines and container."""
    from eugenie_cli.operations.doctor import check
    from eugenie_cli.site.load import open_site

    console = Console()
    checks = check(open_site(site) if site is not None else None)
    if output is Output.json:
        console.json(checks)
    else:
        rows = [(_verdict(item), item.name, item.found, item.hint) for item in checks]
        console.table(["", "what", "found", "next"], rows)
    if not all(item.ok for item in checks):
        raise typer.Exit(ExitCode.FAILED)


def _verdict(item: Check) -> str:
    if not item.ok:
        return "FAULT"
    return "warning" if item.hint else "ok"
