"""The live side of a source: readings as they happen, by the same rules as an import reads them later."""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable

from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.interface import Tally


class Sink(Protocol):
    """Where live readings go. Safe to use from several threads."""

    def put(self, batch: Batch, tally: Tally) -> None:
        """Take readings, and the counts of the records from which they came. Does not wait for Kafka."""

    def say(self, message: str) -> None:
        """Tell the user that something has changed, such as a lost connection."""


@runtime_checkable
class LiveSource(Protocol):
    """Made from a source's settings and the site by the callable that its type names as `live`."""

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Pass readings to `sink` until `stop` is set, connecting again whenever the connection is lost.

        Raises EugenieError if the first connection fails for a reason that does not pass.
        """
