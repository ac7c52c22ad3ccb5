"""`eugenie demo`: a complete run on a simulated plant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption
from eugenie_cli.console import Console


def demo(
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", help="The same seed gives the same plant and faults.", min=0)
    ] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the engines running at the end.")] = False,
    speed: Annotated[float, typer.Option(metavar="FACTOR", help="Plant seconds per second.", min=10, max=600)] = 180.0,
    folder: Annotated[
        Path, typer.Option("--output-dir", metavar="FOLDER", help="Folder of the demo; an earlier one is replaced.")
    ] = Path(".eugenie/demo-plant"),
    output: OutputOption = Output.table,
) -> None:
    """Import, train, serve and stream a simulated plant, and find the faults injected into it."""
    from eugenie_cli.commands.demo_report import report
    from eugenie_cli.demo.run import Options, run

    console = Console()
    result = run(Options(folder, seed, speed, keep), console)
    if output is Output.json:
        console.json(result.contract())
    else:
        report(result, keep, console)
    if not result.ledger.balanced:
        raise typer.Exit(1)
