"""`eugenie init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError, ExitCode


def init(
    directory: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER", help="Folder of the new project. Default: this one.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the site. Default: that of the folder.")
    ] = None,
    exports: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Sample exports, a file or a pattern: the site file describes them, and says what to check.",
        ),
    ] = None,
) -> None:
    """Write a commented site file to start from. Overwrites nothing.

    With --from, exit code 6 means that some of the files have no source that reads them.
    """
    from eugenie_cli.site.scaffold import create_site

    console = Console()
    folder, files = _divided(directory or [], exports or [])
    if files:
        _from_exports(folder, name, files, console)
        return
    written = create_site(folder, name)
    for path in written:
        console.line(str(path))
    console.say(f"next: describe your plant in {written[0]}, then run `eugenie config check`")


def _divided(given: list[Path], exports: list[str]) -> tuple[Path, list[str]]:
    """(the folder, the exports): a shell passes the files of an unquoted pattern as further arguments."""
    files = [str(path) for path in given if exports and path.is_file()]
    folders = [path for path in given if str(path) not in files]
    if len(folders) > 1:
        raise EugenieError(
            f"{folders[1]} is one folder too many", "name one folder; exports follow --from", ExitCode.USAGE
        )
    return (folders[0] if folders else Path()), [*exports, *files]


def _from_exports(folder: Path, name: str | None, files: list[str], console: Console) -> None:
    from eugenie_cli.commands.import_ import end_of_look, show_look
    from eugenie_cli.site.scaffold import check_absent, create_site
    from eugenie_cli.sources.look.looking import look

    check_absent(folder, name)
    found = look(files, folder, progress=console)
    show_look(found, console)
    if not found.proposals:
        end_of_look(found)
    written = create_site(folder, name, found.text.from_template)
    for path in written:
        console.line(str(path))
    console.say(
        f"next: go through the lines `# check:` in {written[0]}, then run `eugenie config check` and `eugenie import`"
    )
    end_of_look(found)
