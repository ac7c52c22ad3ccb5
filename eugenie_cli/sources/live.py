"""The live side of a source: readings as they happen, by the same rules as an import reads them later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.interface import Tally


class Sink(Protocol):
    """Where live readings go. Safe to use from several threads."""

    @property
    def has_room(self) -> bool:
        """False while neither Kafka nor the disk takes readings. A source that `waits` then puts no more."""

    @property
    def kept(self) -> Mapping[str, Any]:
        """What the source gave to `keep` last, also in an earlier run; empty at first."""

    def put(self, batch: Batch, tally: Tally, settled: Callable[[], None] | None = None) -> None:
        """Take readings, and the counts of the records from which they came. Does not wait for Kafka.

        `settled`: called, by any thread, as soon as these and all earlier readings are either in Kafka or on disk.
        """

    def keep(self, state: Mapping[str, Any]) -> None:
        """Remember something, as JSON, for the next run. After a crash the last seconds of it may be lost."""

    def say(self, message: str) -> None:
        """Tell the user that something has changed, such as a lost connection."""


@runtime_checkable
class LiveSource(Protocol):
    """Made from a source's settings and the site by the callable that its type names as `live`.

    It may have an attribute `waits`: True says that the source still has whatever is not settled, and sends it again
    after a crash; so nothing is given up for want of room.
    """

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Pass readings to `sink` until `stop` is set, connecting again whenever the connection is lost.

        Raises EugenieError if the first connection fails for a reason that does not pass.
        """
