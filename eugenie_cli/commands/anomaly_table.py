"""Anomalies as a table that can be read at a glance: asset, start, strength, and the sensors behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone, tzinfo
from itertools import zip_longest
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from eugenie_cli.anomalies.record import Anomaly, SensorShare
from eugenie_cli.anomalies.view import Seen, View
from eugenie_cli.masking import mask
from eugenie_cli.printable import printable
from eugenie_cli.streaming.liveness import DOWN, LATE, OK, UNKNOWN, Liveness

_COLOURS = {"high": "red", "medium": "dark_orange", "low": "yellow"}
SENSORS_SHOWN = 3
CLOSED_SHOWN = 5
WIDE = 100
"""Terminal width in cells from which everything is shown."""
_BAR_CELLS = 8
# A score of this many thresholds fills the bar: twice the peak at which severity becomes high.
_FULL_BAR = 8.0
# Title, caption, header and rules around the rows.
_FRAME_LINES = 7
_FACT_LINES = 2
_LIFE_COLOURS = {OK: "green", LATE: "yellow", DOWN: "red"}
# Width of a name on the narrowest terminal.
_NAME_CELLS = 8
_NO_FACTS = [Text("")] * 4
_NO_SHARE = [Text("")] * 5


def anomaly_table(seen: Sequence[Seen], now_ms: int, where: tzinfo = timezone.utc, width: int = WIDE) -> Table:
    """A few lines per anomaly, one for each of its strongest sensors; closed anomalies are dimmed.

    width: of the terminal, in cells; below WIDE there are no bars, so that the figures fit into 80 cells.
    """
    wide = width >= WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0) if wide else 0)
    # On a narrow terminal names are shortened, figures are not.
    table.add_column("asset", overflow="ellipsis", min_width=_NAME_CELLS)
    table.add_column("state", no_wrap=True)
    table.add_column("since", no_wrap=True)
    table.add_column("score", no_wrap=True)
    table.add_column("sensors", overflow="ellipsis", min_width=_NAME_CELLS)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("expected", no_wrap=True)
    for anomaly_seen in seen:
        style = None if anomaly_seen.anomaly.is_open else "dim"
        lines = zip_longest(_facts(anomaly_seen, now_ms, where, wide), _shares(anomaly_seen.anomaly), fillvalue=None)
        for facts, share in lines:
            table.add_row(*(facts or _NO_FACTS), *(share or _NO_SHARE), style=style)
    return table


class LiveTable:
    """The live view of a tail on a terminal, redrawn with the current time on every refresh.

    life: returns the stream's liveness at each refresh; None shows no liveness.
    """

    def __init__(
        self,
        site: str,
        view: View,
        where: tzinfo,
        clock: Callable[[], float] = time.time,
        life: Callable[[], Liveness] | None = None,
    ) -> None:
        self._site, self._view, self._where, self._clock, self._life = site, view, where, clock, life

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now = self._clock()
        opened, closed = self._view.open(), self._view.closed()
        life = self._life() if self._life is not None else None
        # green only if the liveness is known
        colour = _LIFE_COLOURS.get(life.level if life is not None else UNKNOWN, "")
        sign = [Text(printable(mask(line)), style=colour) for line in life.lines] if life is not None else []
        lines = sum(len(line.wrap(console, options.max_width)) for line in sign)
        budget = (options.height or console.height) - _FRAME_LINES - lines
        shown = _fitting([*opened, *closed[:CLOSED_SHOWN]], budget)
        instant = datetime.fromtimestamp(now, self._where)
        head = Text.assemble(
            (f"{len(opened)} open", "bold red" if opened else f"bold {colour}".strip()),
            (f"  {len(closed)} closed", "dim"), f"  {self._site}  {instant:%Y-%m-%d %H:%M:%S}",
        )  # fmt: skip
        hidden = len(opened) - sum(seen.anomaly.is_open for seen in shown)
        foot = f"{hidden} more open; " if hidden else ""
        body: Any = (
            anomaly_table(shown, int(now * 1000), self._where, options.max_width)
            if shown
            else Text("\n  nothing to show yet\n")
        )
        yield Group(head, *sign, body, Text(f"{foot}Ctrl-C ends", style="dim"))


def _fitting(seen: Sequence[Seen], lines: int) -> list[Seen]:
    """As many anomalies as fit into the terminal's lines, at least one."""
    shown: list[Seen] = []
    for anomaly_seen in seen:
        lines -= max(_FACT_LINES, min(SENSORS_SHOWN, len(anomaly_seen.anomaly.sensors)))
        if shown and lines < 0:
            break
        shown.append(anomaly_seen)
    return shown


def _facts(seen: Seen, now_ms: int, where: tzinfo, wide: bool) -> list[list[Text]]:
    """Two lines about the asset, the state, the time and the strength."""
    anomaly = seen.anomaly
    colour = _COLOURS.get(anomaly.severity, "") if anomaly.is_open else ""
    strength = anomaly.score if anomaly.is_open else anomaly.peak
    mark, state = ("●", "open") if anomaly.is_open else ("○", anomaly.reason or anomaly.state)
    return [
        [
            Text(printable(anomaly.asset), style="bold" if anomaly.is_open else ""),
            Text.assemble((mark, colour), f" {printable(state)}"),
            Text(_instant(anomaly.start_ms, now_ms, where)),
            Text.assemble((bar(strength) + " " if wide else "", colour), _score(strength)),
        ],
        [
            Text(printable(anomaly.class_name), style="dim"),
            Text(f"  {printable(anomaly.severity)}", style=colour),
            Text(f"for {duration(seen.lasts_ms(now_ms))}"),
            Text(f"{'peak':>{_BAR_CELLS if wide else 0}} {_score(anomaly.peak)}", style="dim"),
        ],
    ]


def _shares(anomaly: Anomaly) -> list[list[Text]]:
    """A line for each of the strongest sensors."""
    return [
        [
            Text(printable(share.sensor)),
            Text(f"{share.contribution:.0%}"),
            Text(number(share.value)),
            _arrow(share),
            Text(printable(f"{number(share.forecast)} {share.unit}".rstrip())),
        ]
        for share in anomaly.sensors[:SENSORS_SHOWN]
    ]


def _arrow(share: SensorShare) -> Text:
    """Whether the value is above or below its forecast."""
    if share.value is None or share.forecast is None or share.value == share.forecast:
        return Text(" ")
    return Text("↑", style="bold") if share.value > share.forecast else Text("↓", style="bold")


def bar(score: float | None) -> str:
    """A score as a bar of eight cells, in eighths of a cell; one threshold is one cell."""
    eighths = round(min(max(score or 0.0, 0.0), _FULL_BAR) / _FULL_BAR * _BAR_CELLS * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")).ljust(_BAR_CELLS)


def duration(milliseconds: int) -> str:
    """`45s`, `5m 12s`, `3h 05m`, `2d 04h`: two units at most."""
    seconds = milliseconds // 1000
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02}s"
    if seconds < 86_400:
        return f"{seconds // 3600}h {seconds % 3600 // 60:02}m"
    return f"{seconds // 86_400}d {seconds % 86_400 // 3600:02}h"


def number(value: float | None) -> str:
    """Four significant digits, without an exponent if that stays short; `-` for a missing value."""
    if value is None:
        return "-"
    if value != 0 and not 1e-3 <= abs(value) < 1e7:
        return f"{value:.3g}"
    decimals = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
    return f"{value:.{decimals}f}"


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.1f}" if score < 1000 else f"{score:.2g}"


def _instant(ms: int, now_ms: int, where: tzinfo) -> str:
    """The shortest clear form: the time if today, the day and time if this year, otherwise the date."""
    instant = datetime.fromtimestamp(ms / 1000, where)
    today = datetime.fromtimestamp(now_ms / 1000, where).date()
    if instant.date() == today:
        return f"{instant:%H:%M:%S}"
    return f"{instant:%m-%d %H:%M}" if instant.year == today.year else f"{instant:%Y-%m-%d}"
