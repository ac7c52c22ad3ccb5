"""The key that state and timers belong to. PyFlink sets it to the key of each element; an element here has many."""

from __future__ import annotations

from typing import Any

from pyflink.common import Row

from eugenie_cli.flink_job.key_groups import keys


class KeyContext:
    """Turns state and timers of a keyed function to one shard of its task after the other.

    Only to shards of the task: the state of others lies elsewhere. The backend is one of PyFlink's own attributes; with
    every request for state the key goes to the JVM, so that it does not matter there which element came with which key.
    """

    def __init__(self, runtime_context: Any, shards: int) -> None:
        self._backend = runtime_context._keyed_state_backend
        self._rows = [Row(key) for key in keys(shards)]

    def turn_to(self, shard: int) -> None:
        """State that is read or written, and timers that are set from now on, are the shard's."""
        self._backend.set_current_key(self._rows[shard])
