"""The sink of the live side: readings into the outbox, and what the source wants to remember into a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from eugenie_cli.bridge.outbox import Outbox
from eugenie_cli.bridge.records import Heads, records_of
from eugenie_cli.files import write_atomically
from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.interface import Tally

STATE = "source.json"


class Inbox:
    """Implements `sources.live.Sink`. `readings` and `tally` count what came."""

    def __init__(self, outbox: Outbox, folder: Path, say: Callable[[str], None]) -> None:
        self.outbox, self.say = outbox, say
        self._lock, self._heads = threading.Lock(), Heads()
        self.readings, self.tally = 0, Tally()
        self._file = folder / STATE
        self._state = _read(self._file)
        self._written = self._state

    @property
    def has_room(self) -> bool:
        return self.outbox.has_room

    @property
    def kept(self) -> Mapping[str, Any]:
        return self._state

    def put(self, batch: Batch, tally: Tally, settled: Callable[[], None] | None = None) -> None:
        records = records_of(batch, self._heads)
        with self._lock:
            self.tally.add(tally)
            self.readings += len(records)
            self.outbox.put(records, settled)

    def keep(self, state: Mapping[str, Any]) -> None:
        self._state = state

    def write_down(self) -> None:
        """Write what the source keeps to disk, if it has changed. On a full disk the former state stays."""
        state = self._state
        if state is not self._written:
            with suppress(OSError):
                write_atomically(self._file, json.dumps(state))
                self._written = state


def _read(file: Path) -> Mapping[str, Any]:
    """What an earlier run kept; empty if there is none, or if it is unreadable."""
    try:
        state = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
