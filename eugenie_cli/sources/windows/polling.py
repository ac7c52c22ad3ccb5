"""The live side of a source of windows: it is asked again and again for what is new, with an overlap.

The newest rows say how far the database has come: its clock, and those of who writes to it, may differ from ours. Rows
that come late are found as long as they are within `overlap` of the newest one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_bridge import PollingBridge
from eugenie_cli.site.source_windows import WindowSettings
from eugenie_cli.sources.failures import TransientError
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.live import LiveSource, Sink
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import Span, WindowReader, attempted
from eugenie_cli.sources.windows.seen_rows import SeenRows
from eugenie_cli.sources.windows.spans import SpanWidth

AHEAD_MS = 86_400_000  # how far the clock of a database may be ahead of ours
BACK_MS = 86_400_000  # how far back the newest row is looked for at first
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
QUIET_S = 60.0
_NOTHING = Batch.of(())


class PolledReader(WindowReader, Protocol):
    """A reader that passes the rows of its queries through `seen`, if it is set."""

    seen: SeenRows | None


class Poller:
    """`now_ms`: ms since 1970 UTC."""

    waits = True

    def __init__(
        self,
        reader: PolledReader,
        source: WindowSettings,
        bridge: PollingBridge,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._reader, self._source, self._bridge, self._now_ms = reader, source, bridge, now_ms
        self._rows = reader.seen = SeenRows()
        self._newest_ms = 0
        self._kept_ms = 0
        self._width = SpanWidth()

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """As `sources.live.LiveSource.run` says."""
        pace = Pace(self._source.pace, sleep=stop.wait)
        self._newest_ms = int(sink.kept.get("newest_ms", 0))
        failures, said, answered, brought, quiet = 0, "", False, time.monotonic(), False
        try:
            while not stop.is_set():
                began = time.monotonic()
                wait_s = self._bridge.every / 1_000
                try:
                    if sink.has_room and self.poll(sink, pace):
                        brought, quiet = began, False
                    if not answered:
                        sink.say(f"{self._source.name}: asked every {wait_s:g} s for new rows")
                    elif said:
                        sink.say(f"{self._source.name}: it answers again")
                    failures, said, answered = 0, "", True
                except EugenieError as error:
                    self._rows.undo(of_poll=True)
                    if not answered and not isinstance(error, TransientError):
                        raise
                    failures += 1
                    wait_s = max(wait_s, pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S))
                    if error.reason != said:
                        said = error.reason
                        sink.say(f"{error.reason}; it is asked again")
                if not said and not quiet and began - brought > max(QUIET_S, 3 * wait_s):
                    quiet = True
                    sink.say(f"{self._source.name}: no new rows for {began - brought:.0f} s; {self._newest()}")
                stop.wait(max(0.0, began + wait_s - time.monotonic()))
        finally:
            self._reader.close()

    def poll(self, sink: Sink, pace: Pace) -> bool:
        """Ask once, and pass on what is new. Returns whether anything was."""
        if not self._newest_ms:
            self._newest_ms = self._find_newest(pace)
            if not self._newest_ms:
                return False
        now_ms = self._now_ms()
        first = min(self._newest_ms, now_ms) - self._bridge.overlap
        tally = Tally()
        brought = False

        def fetch(span: Span) -> list[Any]:
            self._rows.undo()
            return attempted(self._reader, span, tally, pace)

        for _, batches in self._width.read(Span(max(0, first), now_ms + AHEAD_MS), fetch):
            for batch in batches:
                brought |= len(batch.ts) > 0
                self._newest_ms = max(self._newest_ms, int(batch.ts.max(initial=0)))
                sink.put(batch, tally)
                tally = Tally()
            self._rows.commit()
        self._rows.turn()
        newest_ms = self._newest_ms = min(self._newest_ms, now_ms)

        def settled() -> None:
            if newest_ms > self._kept_ms:
                self._kept_ms = newest_ms
                sink.keep({"newest_ms": newest_ms})

        sink.put(_NOTHING, tally, settled)
        return brought

    def _find_newest(self, pace: Pace) -> int:
        """The instant of the newest row, at most now; 0 if there is none of the last day."""
        now_ms, back = self._now_ms(), self._bridge.overlap
        self._rows.is_off = True
        try:
            while True:
                newest = 0
                span = Span(max(0, now_ms - back), now_ms + AHEAD_MS)
                for _, batches in self._width.read(span, lambda part: list(self._reader.read(part, Tally(), pace))):
                    newest = max([newest, *(int(batch.ts.max(initial=0)) for batch in batches)])
                if newest or back >= BACK_MS:
                    return min(newest, now_ms)
                back = min(BACK_MS, 8 * back)
        finally:
            self._rows.is_off = False

    def _newest(self) -> str:
        if not self._newest_ms:
            return "there is none of the last day"
        return f"the newest one is of {np.datetime64(self._newest_ms, 'ms').astype('M8[s]')}Z"


def polled(reader: Callable[[Any, Site], PolledReader]) -> Callable[[Any, Site], LiveSource]:
    """What the SourceType of a source of windows names as its live side: (settings, site) -> its poller."""

    def make(source: Any, *rest: Site) -> Poller:
        return Poller(reader(source, *rest), source, source.bridge)

    return make
