"""`eugenie history`: shows what has been imported and how good it is, queries and removes it, keeps files in order."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from eugenie_cli.commands import history_quality, history_upkeep
from eugenie_cli.commands.command import Command
from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console
from eugenie_cli.errors import ExitCode

app = typer.Typer(
    name="history", no_args_is_help=True, help="Show, query, remove, merge or verify what was imported; its quality."
)

ASSET_COLUMNS = ("asset", "class", "readings", "from", "to", "sources")


@app.command()
def show(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the assets that have readings: count, period and sources.

    Below them it lists readings that the site file no longer leads to, or that were imported with other settings.
    """
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.site.load import open_site
    from eugenie_cli.sources.leftovers import leftover_notes
    from eugenie_cli.sources.tables import asset_rows, history_view

    console = Console()
    opened = open_site(site)
    view = history_view(opened, open_history(opened))
    if output is Output.json:
        console.json(view)
    else:
        console.table(
            ASSET_COLUMNS,
            asset_rows(view),
            right=("readings",),
            caption=f"fingerprint {view.fingerprint[:16]}",
        )
        for note in leftover_notes(view.left):
            console.say(note)


class SqlOutput(str, Enum):
    """The format of a query's result."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command(cls=Command)
def sql(
    query: Annotated[str, typer.Argument(metavar="SELECT", help="A SELECT in DuckDB's SQL.")],
    site: SiteOption = None,
    output: Annotated[
        SqlOutput, typer.Option("--output", "-o", help="Table for people, JSON or CSV for scripts.")
    ] = SqlOutput.table,
) -> None:
    """Query the history with SQL, read-only: the table readings(asset, sensor, ts, value, quality).

    One reading for each asset, sensor and instant; ts is in UTC. A bad reading has the value NULL and the quality 0.
    """
    from eugenie_cli.commands.query_output import print_rows
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.history.sql import query as run
    from eugenie_cli.site.load import open_site

    with run(open_history(open_site(site)), query) as result:
        print_rows(Console(), result, output.value)


@app.command(cls=Command)
def drop(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Source of the readings; it need not be in the site file."),
    ],
    item: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ITEM", help="Items (files), as `history show` names them. Default: all.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    site: SiteOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Remove what was imported from a source, or from some of its files, from the history.

    Removes everything selected, or nothing. The source's files are not changed: the next import reads those again that
    its path still matches.
    """
    from dataclasses import replace

    from eugenie_cli.history.dropping import drop_notes, plan_drop
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.site.load import open_site
    from eugenie_cli.site.names import named
    from eugenie_cli.sources.leftovers import counted

    console = Console()
    opened = open_site(site)
    history = open_history(opened)
    named(
        "source",
        source,
        dict.fromkeys([*history.sources(), *(configured.name for configured in opened.sources)]),
        opened.site,
    )
    plan = plan_drop(opened, history, source, item or ())
    for note in drop_notes(plan):
        console.say(note)
    if plan.items and not dry_run:
        if not yes and console.asks and not typer.confirm("Remove them?", err=True):
            console.say("nothing was removed")
            raise typer.Exit(ExitCode.FAILED)
        history.drop(source, plan.items)
        plan = replace(plan, done=True)
    if output is Output.json:
        console.json(plan)
    elif plan.items:
        done = "removed" if plan.done else "would remove"
        console.line(f"{done} {counted(plan.readings, 'reading')} of {counted(len(plan.items), 'item')} of {source}")


app.command(cls=Command)(history_quality.quality)
app.command(cls=Command)(history_upkeep.compact)
app.command()(history_upkeep.vacuum)
app.command()(history_upkeep.verify)
