"""`eugenie up | down | status`: the engines of a site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.options import Output, OutputOption, SiteOption
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from eugenie_cli.operations.status import EngineStatus
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
    from eugenie_cli.operations import supervisor
    from eugenie_cli.operations.up import up as start_engines
    from eugenie_cli.site.load import open_site

    if down_on_exit and not supervise:
        raise typer.BadParameter("needs --supervise", param_hint="--down-on-exit")
    console, opened = Console(), open_site(site)
    parts = [part.strip() for part in (only or "").split(",") if part.strip()]
    statuses = start_engines(opened, console, parts)
    _keep_anomalies(opened, console, parts)
    _show(console, statuses, output)
    if supervise:
        supervisor.keep(opened, console, parts, down_on_exit)


def down(site: SiteOption = None) -> None:
    """Stop every engine of the site, including its model server. Data and models are kept."""
    from eugenie_cli.operations.down import down as stop_engines
    from eugenie_cli.site.load import open_site

    console = Console()
    stopped = stop_engines(open_site(site), console)
    if not stopped:
        console.say("no engine is running")


def status(site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the engines of the site: whether they answer, where, and their logs. Exits with 4 if one is missing."""
    from eugenie_cli.errors import ExitCode
    from eugenie_cli.operations.status import status as engine_statuses
    from eugenie_cli.site.load import open_site

    console = Console()
    statuses = engine_statuses(open_site(site))
    _show(console, statuses, output)
    missing = [status for status in statuses if not status.ok]
    for status in missing:
        console.say(f"{status.name} is {status.state}; next: {status.hint}")
    if missing:
        raise typer.Exit(ExitCode.UNREACHABLE)


def _keep_anomalies(site: Site, console: Console, parts: Sequence[str]) -> None:
    """Make the anomalies topic keep its records: an earlier release may have created it with a retention."""
    from eugenie_cli.broker import topics
    from eugenie_cli.errors import EugenieError

    if parts and "kafka" not in parts:
        return
    try:
        topics.keep_anomalies(site.kafka_access, console)
    except EugenieError as error:  # no failure of this command: the engines are running
        console.say(f"{error.reason}; `eugenie up` will try again")


def _show(console: Console, statuses: Sequence[EngineStatus], output: Output) -> None:
    if output is Output.json:
        console.json(statuses)
        return
    rows = []
    for status in statuses:
        memory = "" if status.memory_mib is None else f"{status.memory_mib:.0f}"
        rows.append((status.name, status.state, status.address, status.pid, memory, status.log))
    console.table(["engine", "state", "address", "pid", "MiB", "log"], rows, right=("pid", "MiB"))
    reasons = [(status.name, status.why) for status in statuses if status.why]
    if reasons:
        console.table(["engine", "does not answer"], reasons)
