"""`eugenie simulate`: a simulated plant for trying out all commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.commands.renamed import with_old_spellings
from eugenie_cli.console import Console

app = typer.Typer(name="simulate", help="A simulated plant: historian exports, live readings.", no_args_is_help=True)

FolderOption = Annotated[Path, typer.Option("--output-dir", metavar="FOLDER", help="Where the plant is written.")]
DEFAULT_FOLDER = Path("demo-plant")


@app.command("export", cls=with_old_spellings("simulate export"))
def export(
    folder: FolderOption = DEFAULT_FOLDER,
    days: Annotated[float, typer.Option(metavar="DAYS", help="Days of history.")] = 3.0,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="The same seed gives the same plant.", min=0)] = 1,
    output: OutputOption = Output.table,
) -> None:
    """Write a plant's history as historian exports, and the site file that imports them."""
    from eugenie_cli.demo.simulate import SITE_FILE, export_history

    console = Console()
    exported = export_history(folder, seed, days, console)
    if output is Output.json:
        console.json(exported)
        return
    console.table(["folder", "files", "readings"], [[exported.folder, exported.files, f"{exported.readings:,}"]])
    console.say(f"next: eugenie import --site {folder / SITE_FILE}")


@app.command("live", cls=with_old_spellings("simulate live"))
def live(
    site: SiteOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--plant-dir", metavar="FOLDER", help="The exported plant. Default: the site's folder."),
    ] = None,
    speed: Annotated[float, typer.Option(metavar="FACTOR", help="Plant seconds per second.", min=0.1, max=3600)] = 60.0,
    minutes: Annotated[
        float | None, typer.Option(metavar="MINUTES", help="Plant minutes. Default: the whole live part.", min=1)
    ] = None,
    faults: Annotated[
        str, typer.Option(metavar="KINDS", help="Kinds of faults, comma-separated, or all, or none.")
    ] = "none",
    output: OutputOption = Output.table,
) -> None:
    """Continue an exported plant live, into the site's readings topic."""
    from eugenie_cli.demo.simulate import choose_kinds, simulate_live
    from eugenie_cli.site.load import open_site

    console = Console()
    opened = open_site(site)
    plant_folder = folder or opened.file.parent
    done = simulate_live(
        opened, plant_folder, speed=speed, minutes=minutes, kinds=choose_kinds(faults), progress=console
    )
    if output is Output.json:
        console.json(done)
        return
    console.table(["from", "to", "readings", "seconds"], [[done.start, done.end, f"{done.messages:,}", done.seconds]])
