"""`eugenie stream`: the Flink job of a site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from eugenie_cli.commands.command import Command
from eugenie_cli.commands.options import (
    AssetOption,
    ClassOption,
    FollowOption,
    LinesOption,
    Output,
    OutputOption,
    SiteOption,
    ToOption,
)
from eugenie_cli.commands.renamed import with_old_spellings
from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError, ExitCode

app = typer.Typer(
    help="The stream job: submit, monitor, upgrade and stop it; replay.", no_args_is_help=True, rich_markup_mode=None
)

RENDER_TARGETS = ("kubernetes",)


@app.command(cls=with_old_spellings("stream submit"))
def submit(
    site: SiteOption = None,
    start: Annotated[
        str,
        typer.Option(
            "--start-at",
            metavar="POSITION",
            help="auto, savepoint, latest, earliest, or an instant of arrival in Kafka.",
        ),
    ] = "auto",
    savepoint: Annotated[
        str | None, typer.Option("--from-savepoint", metavar="PATH", help="Resume from this savepoint or checkpoint.")
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option(metavar="COUNT", min=1, help="Default: stream.parallelism in the site file.")
    ] = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Replace the running job, after all checks; nothing is lost.")
    ] = False,
    beside: Annotated[
        bool, typer.Option("--beside", help="Start even if the site's job runs from another workspace.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Start the job where the last one ended. Does nothing if it is already running."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.submit import submit as submit_job

    console = Console()
    done = submit_job(
        open_site(site), console, start,
        savepoint=savepoint, parallelism=parallelism, upgrade=upgrade, beside=beside,
    )  # fmt: skip
    if output is Output.json:
        console.json(done)
        return
    beginning = f"resumed from {done.resumed_from}" if done.resumed_from else f"new state, from {done.origin}"
    console.line(f"job {done.job_id}: {beginning if done.started else 'was already running'}\n{done.address}")


@app.command()
def status(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the state of the job: lag, rates, event time, checkpoints, Predict calls, dead letters, load.

    Exits with 4 if something that the stream needs is down, and names it and the next step.
    """
    from eugenie_cli.commands.stream_table import show
    from eugenie_cli.errors import ExitCode
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.status import status as job_status

    console = Console()
    job = job_status(open_site(site))
    if output is Output.json:
        console.json(job)
    else:
        show(console, job)
    if job.problems:
        raise typer.Exit(ExitCode.UNREACHABLE)


@app.command()
def stop(
    site: SiteOption = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="End the stream: score the last rows, close open anomalies.")
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
        kept = f"savepoint {done.savepoint}" if done.savepoint else "its last checkpoint is kept"
        console.line(f"job {done.job_id} stopped: {'drained' if done.drained else kept}")


@app.command(cls=Command)
def reset(
    asset: Annotated[
        list[str] | None, typer.Argument(metavar="ASSET", help="Assets to begin anew.", show_default=False)
    ] = None,
    site: SiteOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Let the running job forget assets: clocks, windows, open anomalies. The others go on."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.reset import reset as reset_assets

    if not asset:
        raise EugenieError("no asset named", "name those to begin anew: eugenie stream reset ASSET", ExitCode.USAGE)
    console = Console()
    done = reset_assets(open_site(site), asset, console)
    if output is Output.json:
        console.json(done)
        return
    console.line(f"job {done.job_id}: resumed from {done.resumed_from}, without the state of {', '.join(asset)}")


@app.command()
def logs(
    site: SiteOption = None,
    lines: LinesOption = 100,
    follow: FollowOption = False,
) -> None:
    """Print the logs of Flink's processes. Output of the job's Python code is in the TaskManager's."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.logs import logs as read_logs

    console = Console()
    for line in read_logs(open_site(site), lines, follow):
        console.line(f"{line.process}  {line.text}")


@app.command(cls=with_old_spellings("stream replay"))
def replay(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="JSON lines of payloads, or CSV. Default: the history.")
    ] = None,
    site: SiteOption = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="Start at this instant. Default: all history.")
    ] = None,
    end: ToOption = None,
    assets: AssetOption = None,
    class_names: ClassOption = None,
    source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="CSV source that describes FILE. Default: the only one.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR", min=0.01, help="Plant seconds per second. Default: as fast as Kafka accepts them."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Send even if a running job would reject the readings as late.")
    ] = False,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="Score without Kafka and Flink, and write the stream's records.")
    ] = False,
    version: Annotated[
        str,
        typer.Option("--model-version", metavar="VERSION", help="Bounded: a number, champion or challenger."),
    ] = "champion",
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Bounded: write score records, JSON lines.")
    ] = None,
    anomalies: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Bounded: write anomaly records, JSON lines. Default: stdout.")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Send history or a file to the readings topic in time order, or score it offline with --bounded."""
    from eugenie_cli.commands import stream_table
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.offline_replay import score
    from eugenie_cli.streaming.replay import choose
    from eugenie_cli.streaming.replay import replay as send

    console = Console()
    opened = open_site(site)
    selection = replace(choose(opened, assets or (), class_names or (), start, end), file=file, source=source)
    stream_table.check_replay(bounded, version, scores, anomalies, speed, force)
    if not bounded:
        sent = send(opened, selection, speed=speed, force=force, progress=console)
        stream_table.show_replay(console, sent, output)
        return
    to_stdout = console.json_line if anomalies is None else lambda _: None
    scored = score(
        opened, selection, version=version, scores_to=scores, anomalies_to=anomalies,
        on_anomaly=to_stdout, progress=console,
    )  # fmt: skip
    stream_table.say_scored(console, scored)


@app.command(cls=with_old_spellings("stream render"))
def render(
    target: Annotated[
        str, typer.Option(metavar="TARGET", help="kubernetes: for Flink's Kubernetes operator.", show_default=False)
    ],
    site: SiteOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--output-dir", metavar="FOLDER", help="Where the files are written. Default: stream-TARGET."),
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Name of the image. Default: eugenie-stream:VERSION.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Place of checkpoints and savepoints, s3://... Default: a volume claim."),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Kubernetes secret with Kafka's password. Default: eugenie-SITE-kafka."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that this command did not write.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Write files that run the job elsewhere: a FlinkDeployment, and the Dockerfile of its image."""
    from eugenie_cli.deploy.flink_application import render as render_deployment
    from eugenie_cli.errors import EugenieError, ExitCode
    from eugenie_cli.site.load import open_site

    if target not in RENDER_TARGETS:
        hint = f"choose from {', '.join(RENDER_TARGETS)}"
        raise EugenieError(f"--target {target}: unknown target", hint, ExitCode.USAGE)
    console, folder = Console(), folder or Path(f"stream-{target}")
    done = render_deployment(open_site(site), folder, image=image, state=state, secret=secret, force=force)
    if output is Output.json:
        console.json(done)
        return
    console.table(["file"], [[file] for file in done.files])
    for step in done.steps:
        console.say(f"next: {step}")
