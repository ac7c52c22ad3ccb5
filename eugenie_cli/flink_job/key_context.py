"""Sets the key of state and timers. PyFlink sets it to each element's key, but here an element spans several keys."""

from __future__ import annotations

from typing import Any

from pyflink.common import Row

from eugenie_cli.flink_job.key_groups import keys
from eugenie_cli.flink_job.tested_versions import private_part


class KeyContext:
    """Switches the state and timers of a keyed function between the shards of its task.

    Only shards of the task are allowed: the state of others is on other tasks. The backend is an internal attribute of
    PyFlink. Every state request sends the key to the JVM, so the key of the current element does not matter there.

    Raises RuntimeError when this release of PyFlink has no such backend.
    """

    def __init__(self, runtime_context: Any, shards: int) -> None:
        with private_part("StreamingRuntimeContext._keyed_state_backend"):
            self._set_key = runtime_context._keyed_state_backend.set_current_key
        self._rows = [Row(key) for key in keys(shards)]

    def turn_to(self, shard: int) -> None:
        """Let all further access to state and timers refer to `shard`."""
        self._set_key(self._rows[shard])
