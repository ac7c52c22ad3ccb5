"""`eugenie up | down | status`: the engines of a site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from eugenie_cli.operations.lifecycle import EngineStatus
    from eugenie_cli.site.schema import Site

OnlyOption = Annotated[
    str | None,
    typer.Option("--only", metavar="ENGINES", help="kafka, flink, mlflow; comma-separated. Default: all."),
]


SuperviseOption = Annotated[
    bool,
    typer.Option(
        "--supervise",
        help="Keep running and restart anything that dies, including the stream job. Ctrl-C stops supervising; "
        "engines keep running.",
    ),
]
DownOnExitOption = Annotated[
    bool, typer.Option("--down-on-exit", help="With --supervise: stop the engines when it ends.")
]


def up(
    site: SiteOption = None,
    only: OnlyOption = None,
    supervise: SuperviseOption = False,
    down_on_exit: DownOnExitOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Start the engines of the site that are not running: Kafka, Flink, MLflow."""
    from eugenie_cli.operations import lifecycle, supervisor
    from eugenie_cli.site.load import open_site

    if down_on_exit and not supervise:
        raise typer.BadParameter("goes with --supervise only", param_hint="--down-on-exit")
    console, opened = Console(), open_site(site)
    parts = [part.strip() for part in (only or "").split(",") if part.strip()]
    found = lifecycle.up(opened, console, parts)
    _keep_anomalies(opened, console, parts)
    _show(console, found, output)
    if supervise:
        supervisor.keep(opened, console, parts, down_on_exit)


def down(site: SiteOption = None) -> None:
    """Stop every engine of the site, including its model server. Data and models are kept."""
    from eugenie_cli.operations import lifecycle
    from eugenie_cli.site.load import open_site

    console = Console()
    stopped = lifecycle.down(open_site(site), console)
    if not stopped:
        console.say("nothing runs")


def status(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the engines of the site: whether they answer, where, and their logs. Exits with 4 if one is missing."""
    from eugenie_cli.errors import ExitCode
    from eugenie_cli.operations import lifecycle
    from eugenie_cli.site.load import open_site

    console = Console()
    found = lifecycle.status(open_site(site))
    _show(console, found, output)
    missed = [one for one in found if not one.ok]
    for one in missed:
        console.say(f"{one.name} is {one.state}; next: {one.hint}")
    if missed:
        raise typer.Exit(ExitCode.UNREACHABLE)


def _keep_anomalies(site: Site, console: Console, parts: Sequence[str]) -> None:
    """A broker that an earlier release set up may forget anomalies."""
    from eugenie_cli.broker import topics
    from eugenie_cli.errors import EugenieError

    if parts and "kafka" not in parts:
        return
    try:
        topics.keep_anomalies(site, console)
    except EugenieError as error:  # the engines run, which is what was asked
        console.say(f"{error.reason}; `eugenie up` asks again")


def _show(console: Console, found: Sequence[EngineStatus], output: Output) -> None:
    if output is Output.json:
        console.json(found)
        return
    sizes = ["" if one.memory_mib is None else f"{one.memory_mib:.0f}" for one in found]
    rows = [(one.name, one.state, one.address, one.pid, size, one.log) for one, size in zip(found, sizes, strict=True)]
    console.table(["engine", "state", "address", "pid", "MiB", "log"], rows, right=("pid", "MiB"))
    reasons = [(one.name, one.why) for one in found if one.why]
    if reasons:
        console.table(["engine", "does not answer"], reasons)
