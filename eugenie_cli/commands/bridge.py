"""`eugenie bridge`: live readings of a source into the site's topic."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

COLUMNS = ("source", "readings", "sent", "stored meanwhile", "left on disk", "lost", "rejected")


def bridge(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of the source.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="SECONDS", min=0.1, help="Stop after that time.")
    ] = None,
    site: SiteOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Send a source's live readings to the site's topic, until Ctrl-C. Keeps them on disk while Kafka is away.

    Exit code 6: readings were lost.
    """
    from eugenie_cli.bridge.running import run_bridge
    from eugenie_cli.site.load import open_site
    from eugenie_cli.site.names import listed

    console = Console()
    report = run_bridge(open_site(site), source, console, seconds)
    for gap in report.gaps:
        console.say(gap)
    if report.unknown:
        console.say(f"tags that no asset of the site has: {listed(report.unknown)}")
    for reason, examples in report.examples.items():
        console.say(f"{report.rejected[reason]:,} {reason}, for example {'; '.join(examples)}")
    if output is Output.json:
        console.json(report)
    else:
        counts = (report.readings, report.delivered, report.stored, report.waiting, report.lost)
        rejected = sum(report.rejected.values())
        row = (report.source, *(f"{count:,}" for count in (*counts, rejected)))
        console.table(COLUMNS, [row], right=COLUMNS[1:])
    if report.lost:
        raise typer.Exit(ExitCode.PARTLY)
