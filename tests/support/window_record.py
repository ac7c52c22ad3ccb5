"""A source of windows whose readings, clock and failures a test decides; in a package of its own, `odd-sources`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from eugenie_cli.history.batch import Batch
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.site.source_windows import WindowSettings
from eugenie_cli.sources.failures import TooMuchError
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.windows.importer import WindowImporter
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import Span

MODULE = "from support.window_record import SOURCE\n"
START = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


class RecordSettings(WindowSettings):
    type: Literal["odd"]


@dataclass
class Record:
    """`readings`: (instant of arrival, instant, value), ms; `forgotten`: what is earlier is gone; `most`: readings that
    a query may return; `raises`: what the next queries raise; `spans`: those that were asked for."""

    readings: list[tuple[int, int, float]] = field(default_factory=list)
    now_ms: int = START
    forgotten: int = 0
    most: int = 10**9
    raises: list[BaseException | None] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    closed: int = 0

    def settings(self) -> dict[str, str]:
        return {}

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        tally.records += 1_000_000  # counts only if the attempt succeeds
        found = pace.call(lambda: self._query(span))
        tally.records += len(found) - 1_000_000
        if found:
            yield Batch.of(("p1", "flow", ts, value) for ts, value in found)

    def _query(self, span: Span) -> list[tuple[int, float]]:
        self.spans.append(span)
        failure = self.raises.pop(0) if self.raises else None
        if failure is not None:
            raise failure
        found = [
            (ts, value)
            for arrived, ts, value in self.readings
            if span.start_ms <= ts < span.end_ms and arrived <= self.now_ms and ts >= self.forgotten
        ]
        if len(found) > self.most:
            raise TooMuchError(f"over {self.most} readings", "allow more")
        return found

    def close(self) -> None:
        self.closed += 1


RECORD = Record()


def importer(source: RecordSettings, site: Site) -> WindowImporter:
    return WindowImporter(RECORD, source, site, lambda: RECORD.now_ms)


SOURCE = SourceType("odd", RecordSettings, "support.window_record:importer")
