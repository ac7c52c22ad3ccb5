"""`eugenie config check | show | schema`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console

app = typer.Typer(name="config", help="Check and show site files.", no_args_is_help=True)


@app.command()
def check(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Check a site file: every problem at once, with line and column. Exit code 3 if there is any.

    This includes the certificates and keys of serving.tls.
    """
    from eugenie_cli.site.diagnostics import SiteError
    from eugenie_cli.site.load import find_site, load_site

    console, path = Console(), find_site(site)
    try:
        loaded = load_site(path, files=True)
    except SiteError as error:
        if output is Output.json:
            console.json({"file": str(path), "valid": False, "problems": error.listing()})
        raise
    summary = {
        "file": str(path), "valid": True, "site": loaded.site, "classes": len(loaded.classes),
        "assets": len(loaded.assets), "sources": len(loaded.sources), "problems": [],
    }  # fmt: skip
    if output is Output.json:
        console.json(summary)
    else:
        columns = ("file", "site", "classes", "assets", "sources")
        console.table(columns, [[summary[name] for name in columns]], right=columns[2:])
        console.say(f"{path} is valid")


@app.command()
def show(
    site: SiteOption = None,
    output: OutputOption = Output.table,
    origin: Annotated[
        bool, typer.Option("--origin", help="Show where each value comes from: file or default.")
    ] = False,
) -> None:
    """Show every effective value, with defaults filled in and secrets redacted."""
    from eugenie_cli.site.effective import in_force, settings
    from eugenie_cli.site.load import find_site, read_site

    console = Console()
    loaded, document = read_site(find_site(site))
    if output is Output.json:
        by_path = {
            setting.path: {"value": setting.value, "origin": setting.origin} for setting in settings(loaded, document)
        }
        console.json(by_path if origin else in_force(loaded))
        return
    rows = [
        [setting.path, _cell(setting.value), setting.origin][: 3 if origin else 2]
        for setting in settings(loaded, document)
        if setting.value is not None
    ]
    console.table(("key", "value", "origin")[: 3 if origin else 2], rows)


@app.command()
def schema() -> None:
    """Print the JSON schema of site files, for editors. It covers all installed source types."""
    from eugenie_cli.site.json_schema import site_schema
    from eugenie_cli.site.source_plugins import usable_source_types

    console = Console()
    console.json(site_schema())
    for error in usable_source_types()[1]:
        console.error(f"left out: {error.reason}", error.hint)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "" if value == {} else str(value)
