"""How services report progress without depending on a terminal: a protocol and a silent implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[float], None]
"""Called with the amount done since the last call, in the task's own unit."""


class Progress(Protocol):
    """What a service reports while it works. `console.Console` shows it; `SILENT` discards it."""

    def say(self, message: str) -> None:
        """Report one line of narration."""

    def task(self, label: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Report a task of `total` units (None: unknown) that lasts as long as the `with` block."""


class Silent:
    """A Progress that shows nothing."""

    def say(self, message: str) -> None:
        pass

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Advance]:
        yield lambda amount: None


SILENT = Silent()
