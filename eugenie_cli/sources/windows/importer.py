"""Makes an importer of a `WindowReader`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.manifest import Item
from eugenie_cli.progress import Advance
from eugenie_cli.signals import stop_once
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_windows import WindowSettings, within
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.interface import SourceItem, Tally
from eugenie_cli.sources.windows.browsing import Browsable, Browsed
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.plan import planned, span_of, within_span
from eugenie_cli.sources.windows.reader import Span, Surveyor, WindowReader, attempted
from eugenie_cli.sources.windows.spans import SpanWidth


class WindowImporter:
    """The importer of a source of windows. `now_ms`: the current time, ms since 1970 UTC.

    `stopped`: why no further window is to be read in this import; None while there is no reason.
    """

    progress_unit = "hours"

    def __init__(
        self,
        reader: WindowReader,
        source: WindowSettings,
        site: Site,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._reader, self._source, self._now_ms = reader, source, now_ms
        self._zone = ZoneInfo(site.timezone)
        self._pace = Pace(source.pace)
        self._width = SpanWidth()
        self._held: Mapping[str, Item] = {}
        self.stopped: str | None = None
        self.interrupted = False

    def plan(self, held: Mapping[str, Item]) -> Sequence[SourceItem]:
        """All windows, `held` among them, without a query."""
        self._held = held
        self._stop_outside_hours()
        return planned(self._source, held, self._now_ms())

    def recognized(self, held: Mapping[str, Item]) -> Sequence[SourceItem]:
        return planned(self._source, held, self._now_ms())

    def items(self) -> Sequence[SourceItem]:
        return self.plan({})

    def missing(self, key: str) -> str:  # noqa: ARG002 - the same for all
        return "the source's `window` has changed, so that other windows cover its time"

    def settings(self) -> Mapping[str, Any]:
        return self._reader.settings()

    def digest(self, item: SourceItem) -> str:  # noqa: ARG002 - unknown without a query
        """Different at each call: only the source knows whether a window's content has changed."""
        return uuid4().hex

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The readings of a window. After Ctrl-C it ends with the current span, and the window will be read again.

        Raises EugenieError, also if it ends before what the history has of the window.
        """
        window = span_of(item.key)
        assert window is not None  # noqa: S101 - for the type checker: `planned` made the key
        now_ms = self._now_ms()
        newest = window.end_ms > now_ms
        window = Span(window.start_ms, min(window.end_ms, max(now_ms, item.state.get("read_ms", 0))))
        share = item.size / window.width_ms

        def fetch(span: Span) -> list[Batch]:
            try:
                return attempted(self._reader, span, tally, self._pace)
            except TransientError as error:
                # repeated as often as `retries` says: it will not work for other windows either
                raise SourceDownError(within_span(error.reason, span), error.hint, error.exit_code) from error
            except (TooMuchError, SourceDownError):  # to be halved; or of the source, whatever the window
                raise
            except EugenieError as error:
                raise EugenieError(within_span(error.reason, span), error.hint, error.exit_code) from error

        held = self._held.get(item.key)
        partly = False
        with stop_once() as stop:
            for span, batches in self._width.read(window, fetch):
                yield from batches
                advance(share * span.width_ms)
                if stop.is_set():
                    self.stopped, self.interrupted = "interrupted", True
                    partly = span.end_ms < window.end_ms
                if partly:
                    if held is not None and span.end_ms <= _last_ms(held):  # what is held reaches further
                        raise EugenieError(f"window {item.key}: interrupted", "`eugenie import` reads it again")
                    item.state.update(closed=False)  # read again by the next import
                    break
        if newest and not self.interrupted and isinstance(self._reader, Surveyor):
            for sentence in self._reader.outside(now_ms, self._pace):
                tally.gap(sentence)
        self._stop_outside_hours()
        if held is not None and held.rows and not tally.records and not partly:
            raise EugenieError(
                f"window {item.key}: the source has no records any more",
                hint="nothing to do if the source keeps its readings for a limited time; otherwise check its mapping",
            )

    def browse(self, pattern: str | None) -> Iterator[Browsed]:
        """The source's tags. Raises EugenieError."""
        if not isinstance(self._reader, Browsable):
            raise EugenieError(
                f"sources of type {self._source.type} cannot be browsed", "list its tags with the server's own tools"
            )
        return self._reader.browse(pattern, self._pace)

    def close(self) -> None:
        self._reader.close()

    def _stop_outside_hours(self) -> None:
        now = datetime.fromtimestamp(self._now_ms() / 1_000, self._zone).time()
        if self._source.daily is not None and not within(self._source.daily, now):
            self.stopped = f"it is outside the hours {self._source.daily} of `daily`"


def _last_ms(held: Item) -> int:
    """The instant of the last reading; 0 if there is none."""
    return max((span.end for part in held.parts for span in part.assets.values()), default=0)


def importer_of(reader: Callable[[Any, Site], WindowReader]) -> Callable[[Any, Site], WindowImporter]:
    """What the SourceType of a source of windows names: (settings, site) -> its importer."""

    def make(source: WindowSettings, site: Site) -> WindowImporter:
        return WindowImporter(reader(source, site), source, site)

    return make
