"""The keyed operator that turns steps into segments: event time decides when a row is complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from eugenie_cli.streamjob.kept import Kept
from eugenie_cli.streamjob.shard import Routes, Shard
from eugenie_cli.streamjob.spec import JobSpec

SEGMENTS = "segments"
DEAD = "dead"

BEHIND_MS = 1
"""Event time runs this much behind the readings' instants; `front_sql.rowtime` says why."""

LAST_INSTANT = 253_402_300_799_000
"""The watermark of a drained stream is the largest number there is; rows end here (the year 9999) at the latest."""


class Windows(KeyedProcessFunction):
    """(shard, edge, items) -> (shard, SEGMENTS, Batch) and (shard, DEAD, record).

    Rows are made when the watermark passes, all that are due at once: live that is one row an asset, behind it is long
    segments. The state is the shard itself. It is handed to Flink as an object and pickled when a bundle ends, not
    with every element.
    """

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec

    def open(self, runtime_context: RuntimeContext) -> None:
        self._state = runtime_context.get_state(ValueStateDescriptor("shard", Types.PICKLED_BYTE_ARRAY()))
        self._routes = Routes(self._spec)
        self._shards: dict[int, Shard] = {}
        # counted here: PyFlink loses what is counted on an asynchronous function's own thread
        group = runtime_context.get_metrics_group()
        self._calls, self._windows = group.counter("predictCalls"), group.counter("predictWindows")

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[tuple]:
        shard = self._shard(ctx.get_current_key())
        for letter in shard.take(value[2]):
            yield ctx.get_current_key(), DEAD, letter
        self._state.update(Kept(shard))
        ctx.timer_service().register_event_time_timer(value[1] - BEHIND_MS)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[tuple]:
        shard = self._shard(ctx.get_current_key())
        complete = min(max(ctx.timer_service().current_watermark(), timestamp) + BEHIND_MS, LAST_INSTANT)
        due = shard.next_edge()
        if due is not None and due <= complete:
            for batch in shard.advance(complete):
                self._calls.inc()
                self._windows.inc(batch.readings.size)
                yield ctx.get_current_key(), SEGMENTS, batch
            self._state.update(Kept(shard))
            due = shard.next_edge()
        if due is not None:
            ctx.timer_service().register_event_time_timer(due - BEHIND_MS)

    def _shard(self, key: int) -> Shard:
        shard = self._shards.get(key)
        if shard is None:
            shard = self._shards[key] = Shard(self._routes)
            kept = self._state.value()
            if kept is not None:
                shard.restore(kept)
        return shard
