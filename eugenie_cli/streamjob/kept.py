"""State that is pickled when Flink asks for it, not whenever it changes."""

from __future__ import annotations

from typing import Any, Protocol


class Stateful(Protocol):
    def state(self) -> dict[str, Any]:
        """What there is to keep, as plain data."""


class Kept:
    """What an operator hands to Flink as its state: the live object, which pickles as its plain state.

    PyFlink encodes a value when the bundle ends, so an object that changed a hundred times in a bundle is pickled once.
    It must be handed over again in every bundle that changes it.
    """

    def __init__(self, subject: Stateful) -> None:
        self._subject = subject

    def __reduce__(self) -> tuple:
        return dict, (self._subject.state(),)
