"""`eugenie anomalies tail | list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.command import Command
from eugenie_cli.commands.options import AssetArgument, AssetOption, Output, OutputOption, SiteOption, both
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eugenie_cli.anomalies.tail import Arrival
    from eugenie_cli.anomalies.view import Seen
    from eugenie_cli.site.schema import Site
    from eugenie_cli.streaming.liveness import Liveness

app = typer.Typer(name="anomalies", help="Follow and list anomalies.", no_args_is_help=True)


@app.command(cls=Command)
def tail(
    assets: AssetArgument = None,
    site: SiteOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Start at: 10m, 1h, 2d ago, or an instant. Default: now. Open anomalies come first.",
        ),
    ] = None,
    asset: AssetOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Follow anomalies live: a table on a terminal, JSON lines when piped. Ctrl-C ends.

    Also shows when a row was last scored and, in yellow or red, why scoring has stopped; in a pipe, on stderr.
    """
    import time

    from eugenie_cli.anomalies import tail as service
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.liveness_watch import LivenessWatch

    console, opened = Console(), open_site(site)
    chosen = _chosen(opened, both(assets, asset))
    start = None if since is None else service.since_ms(since, int(time.time() * 1000), opened)
    arrivals = service.tail(opened, since=start, assets=chosen, progress=console)
    try:
        if output is Output.table and console.interactive:
            with LivenessWatch(opened, chosen) as watch:
                _live(console, opened, arrivals, watch.life)
        else:
            with LivenessWatch(opened, chosen, on_change=lambda life: _say(console, life)):
                for arrival in arrivals:
                    console.json_text(arrival.text)
    except KeyboardInterrupt:
        pass  # the normal end of a tail


@app.command("list", cls=Command)
def list_(
    assets: AssetArgument = None,
    site: SiteOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only anomalies with records since: 10m, 1h, 2d ago, or an instant. Default: all."
        ),
    ] = None,
    asset: AssetOption = None,
    output: OutputOption = Output.table,
) -> None:
    """List each anomaly once, in its current state.

    Prints to stderr when a row was last scored and, if scoring has stopped, why. Exits with 4 if anomalies cannot be
    found, unless the stream job was stopped on purpose.
    """
    import time

    from eugenie_cli.anomalies import tail as service
    from eugenie_cli.errors import ExitCode
    from eugenie_cli.site.load import open_site
    from eugenie_cli.streaming.liveness import DOWN
    from eugenie_cli.streaming.liveness_watch import look

    console, opened, now = Console(), open_site(site), int(time.time() * 1000)
    chosen = _chosen(opened, both(assets, asset))
    start = None if since is None else service.since_ms(since, now, opened)
    anomalies = service.list_anomalies(opened, since=start, assets=chosen, progress=console)
    life = look(opened, chosen)
    if output is Output.json:
        console.json([record for _, record in anomalies])
    else:
        _table(console, opened, [seen for seen, _ in anomalies], now)
    _say(console, life)
    if any(trouble.level == DOWN and not trouble.expected for trouble in life.troubles):
        raise typer.Exit(ExitCode.UNREACHABLE)


def _chosen(site: Site, names: tuple[str, ...]) -> tuple[str, ...]:
    """The named assets; no names select all assets, including those that the site no longer has."""
    return site.assets_named(names) if names else ()


def _table(console: Console, site: Site, anomalies: list[Seen], now_ms: int) -> None:
    from zoneinfo import ZoneInfo

    from eugenie_cli.commands.anomaly_table import anomaly_table

    if anomalies:
        console.renderable(anomaly_table(anomalies, now_ms, ZoneInfo(site.timezone)))
    console.say(f"{len(anomalies)} anomalies, {sum(seen.anomaly.is_open for seen in anomalies)} of them open")


def _say(console: Console, life: Liveness) -> None:
    for line in life.lines:
        console.say(line)


def _live(console: Console, site: Site, arrivals: Iterator[Arrival], life: Callable[[], Liveness]) -> None:
    from zoneinfo import ZoneInfo

    from eugenie_cli.anomalies.view import View
    from eugenie_cli.commands.anomaly_table import LiveTable

    view = View()
    with console.live(LiveTable(site.site, view, ZoneInfo(site.timezone), life=life)):
        for arrival in arrivals:
            view.fold(arrival.anomaly, arrival.arrived_ms)
