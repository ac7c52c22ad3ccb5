"""`eugenie stream`: the Flink job of a site."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console

app = typer.Typer(help="The stream job: submit, watch and stop it.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def submit(
    site: SiteOption = None,
    start: Annotated[
        str, typer.Option("--from", help="auto (where the last job stopped), earliest or latest.")
    ] = "auto",
    output: OutputOption = Output.table,
) -> None:
    """Start the job, or resume it from its last savepoint. Does nothing when it runs already."""
    from eugenie_cli.errors import EugenieError, ExitCode
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.submit import STARTS
    from eugenie_cli.streaming.submit import submit as submit_job

    if start not in STARTS:
        raise EugenieError(f"--from {start}: unknown", f"choose one of {', '.join(STARTS)}", ExitCode.USAGE)
    console = Console()
    done = submit_job(open_site(site), console, start)
    if output is Output.json:
        console.json(done)
        return
    origin = f"resumed from {done.resumed_from}" if done.resumed_from else "new state"
    console.line(f"job {done.job_id}: {origin if done.started else 'ran already'}\n{done.address}")


@app.command()
def status(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the job's state, checkpoints and Predict calls."""
    from dataclasses import asdict

    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.status import status as job_status

    console = Console()
    found = job_status(open_site(site))
    if output is Output.json:
        console.json(found)
    else:
        console.table(["what", "value"], [(key.replace("_", " "), value) for key, value in asdict(found).items()])


@app.command()
def stop(
    site: SiteOption = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="End the stream: score the last rows, close what is open.")
    ] = False,
    savepoint: Annotated[bool, typer.Option(help="Take a savepoint; `submit` resumes from it.")] = True,
    output: OutputOption = Output.table,
) -> None:
    """Stop the job with a savepoint."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.stop import stop as stop_job

    console = Console()
    done = stop_job(open_site(site), console, drain, savepoint)
    if output is Output.json:
        console.json(done)
    elif done.job_id is not None:
        kept = f"savepoint {done.savepoint}" if done.savepoint and not done.drained else "nothing kept to resume from"
        console.line(f"job {done.job_id} stopped: {'drained' if done.drained else kept}")
