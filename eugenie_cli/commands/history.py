"""`eugenie history`: what has been imported, and how good it is."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console

app = typer.Typer(name="history", no_args_is_help=True, help="What has been imported, and how good it is.")

ASSET_COLUMNS = ("asset", "class", "readings", "from", "to", "sources")
SHARES = ("median period", "bad", "out of range", "longest gap", "flat", "conflicts")
QUALITY_COLUMNS = ("asset", "sensor", "readings", "from", "to", *SHARES)
AssetArgument = Annotated[list[str] | None, typer.Argument(help="Assets. Default: all.", show_default=False)]


@app.command()
def show(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the assets that have readings: how many, from when to when, from which sources."""
    from eugenie_cli.history.open import open_history
    from eugenie_cli.history.show import asset_rows, history_view
    from eugenie_cli.site.load import open_site

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


@app.command()
def quality(asset: AssetArgument = None, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show each sensor's period, gaps, shares of bad, impossible and unmoving readings, and instants in conflict."""
    from eugenie_cli.history.open import open_history
    from eugenie_cli.history.quality import assess
    from eugenie_cli.history.show import quality_rows
    from eugenie_cli.site.load import open_site

    console = Console()
    opened = open_site(site)
    found = assess(opened, open_history(opened), asset or (), console)
    if output is Output.json:
        console.json(found)
    else:
        console.table(QUALITY_COLUMNS, quality_rows(found), right=("readings", *SHARES))
