"""What a source of windows brings: how to read one span of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.windows.pace import Pace

ROWS_AT_ONCE = 1_000_000
"""Readings of one query that are held in memory: spans are chosen to stay below it."""


@dataclass(frozen=True)
class Span:
    """`start_ms <= ts < end_ms`, in ms since 1970 UTC."""

    start_ms: int
    end_ms: int

    @property
    def width_ms(self) -> int:
        return self.end_ms - self.start_ms


class WindowReader(Protocol):
    """Reads spans of a source. `windows.importer.WindowImporter` makes an importer of it."""

    def settings(self) -> Mapping[str, Any]:
        """Everything that decides how a record is read; when it changes, all windows are read again."""

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        """The readings of a span, complete or with an exception, bounds as `Span` has them.

        Queries go through `pace.call`. Counts records and what it rejects in `tally`, and names in `tally.gap` what the
        source says it lacks. Raises TooMuchError for a span that is to be halved, SourceDownError when no window can be
        read, or another EugenieError for this window alone.
        """

    def close(self) -> None:
        """Close connections. Called once, after the last span."""


def attempted(reader: WindowReader, span: Span, tally: Tally, pace: Pace) -> list[Batch]:
    """The readings of a span, counted in `tally` only if it was read to its end: it may be read again, or be halved."""
    own = Tally()
    batches = list(reader.read(span, own, pace))
    tally.add(own)
    return batches


@runtime_checkable
class Surveyor(Protocol):
    """A `WindowReader` that can tell which records no window contains."""

    def outside(self, now_ms: int, pace: Pace) -> Iterator[str]:
        """Sentences about records that no window will read, or not before their time has come: those without an instant
        or ahead of the clock. Called once for each import. Raises EugenieError.
        """
