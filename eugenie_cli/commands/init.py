"""`eugenie init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eugenie_cli.console import Console


def init(
    directory: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the new project.")] = Path(),
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the site. Default: that of the folder.")
    ] = None,
) -> None:
    """Write a commented site file to start from. Overwrites nothing."""
    from eugenie_cli.site.scaffold import create_site

    console = Console()
    written = create_site(directory, name)
    for path in written:
        console.line(str(path))
    console.say(f"next: describe your plant in {written[0]}, then run `eugenie config check`")
