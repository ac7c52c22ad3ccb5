"""`eugenie history quality`: whether the history is good enough to train on, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.options import (
    AssetArgument,
    AssetOption,
    ClassOption,
    Output,
    OutputOption,
    SiteOption,
    both,
)
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from eugenie_cli.history.quality import Quality

GRADE_COLUMNS = ("asset", "class", "grade", "rows", "needed", "readings", "from", "to", "complete")
SHARES = ("median period", "filled", "bad", "out of range", "longest gap", "flat", "conflicts")
SENSOR_COLUMNS = ("asset", "sensor", "readings", "from", "to", *SHARES)


def quality(
    assets: AssetArgument = None,
    site: SiteOption = None,
    asset: AssetOption = None,
    class_names: ClassOption = None,
    worst: Annotated[
        int | None, typer.Option(metavar="COUNT", min=1, help="Only the assets that need most attention.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a web page with plots to this file.")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Say whether each asset has enough good history to train on, what is wrong with it, and what to do.

    Figures of every sensor: period, gaps, shares of missing, bad, impossible and frozen readings, and conflicts. With
    more than twenty assets the tables show the ones that need most attention.
    """
    from eugenie_cli.history.quality import assess
    from eugenie_cli.history.quality_tables import only_worst
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.site.load import open_site

    console = Console()
    opened = open_site(site)
    history = open_history(opened)
    found = assess(opened, history, both(assets, asset), console, classes=class_names or ())
    if worst is not None:
        found = only_worst(found, worst)
    if output is Output.json:
        console.json(found)
    else:
        _show(console, found, whole=worst is not None)
    if report is not None:
        from eugenie_cli.evaluation.page.history_page import write_page

        write_page(opened, history, found, report)
        console.say(f"the page is in {report}")


def _show(console: Console, found: Quality, *, whole: bool) -> None:
    from eugenie_cli.history.quality_tables import (
        SHOWN_ASSETS,
        finding_lines,
        grade_rows,
        only_worst,
        sensor_rows,
        summary,
    )

    shown = found if whole or len(found.assets) <= SHOWN_ASSETS else only_worst(found, SHOWN_ASSETS)
    left_out = len(found.assets) - len(shown.assets)
    more = f"and {left_out:,} assets that need less attention (-o json and --report list all)" if left_out else None
    console.table(GRADE_COLUMNS, grade_rows(shown), right=GRADE_COLUMNS[3:6], caption=more)
    console.table(SENSOR_COLUMNS, sensor_rows(shown), right=("readings", *SHARES))
    for line in finding_lines(found.findings):
        console.line(line)
    console.line(summary(found))
