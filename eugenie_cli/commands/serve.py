"""`eugenie serve`: the model server of a site."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console

app = typer.Typer(help="The model server: serve alone starts it.")


@app.callback(invoke_without_command=True)
def _serve(
    context: typer.Context,
    site: Annotated[str | None, typer.Option("--site", help="As in the commands below.")] = None,
    output: OutputOption = Output.table,
) -> None:
    context.obj = site
    if context.invoked_subcommand is None:
        start(context, os.environ.get("EUGENIE_SITE"), output)


@app.command()
def start(context: typer.Context, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Start the model server and wait until it answers; nothing when it runs already."""
    from eugenie_cli.serving import local
    from eugenie_cli.site.load import open_site

    console = Console()
    _show(console, local.start(open_site(context.obj or site), console), output)


@app.command()
def stop(context: typer.Context, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Stop the model server; requests in flight are answered first."""
    from eugenie_cli.serving import local
    from eugenie_cli.site.load import open_site

    console = Console()
    stopped = local.stop(open_site(context.obj or site), console)
    if output is Output.json:
        console.json({"stopped": stopped})


@app.command()
def status(context: typer.Context, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the model server and the versions that it serves."""
    from eugenie_cli.serving import local
    from eugenie_cli.site.load import open_site

    _show(Console(), local.status(open_site(context.obj or site)), output)


def _show(console: Console, status: Any, output: Output) -> None:
    if output is Output.json:
        console.json(status)
        return
    listening = [address for address in (status.address, status.socket) if address]
    console.table(
        ["server", "address", "process", "log"], [[status.state, "\n".join(listening), status.pid, status.log]]
    )
    if status.models:
        rows = [[model.name, model.version, model.state, model.error] for model in status.models]
        console.table(["model", "version", "state", "error"], rows, right=["version"])
