"""The keyed operator that turns readings into segments: event time decides when a row is complete."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from eugenie_cli.streamjob import beam
from eugenie_cli.streamjob.decode import Portion
from eugenie_cli.streamjob.durable import DurableShard
from eugenie_cli.streamjob.keys import shards_of
from eugenie_cli.streamjob.routes import Routes
from eugenie_cli.streamjob.spec import JobSpec
from eugenie_cli.streamjob.strange import StrangeTags

SEGMENTS = "segments"
DEAD = "dead"

LAST_INSTANT = 253_402_300_799_000
"""The watermark of a drained stream is the largest number there is; rows end here (the year 9999) at the latest."""

STRANGE_EVERY_MS = 10_000
"""Of the wall clock: how often a tag that the site does not have is written of."""


class Windows(KeyedProcessFunction):
    """Pickled portions by key -> (key, SEGMENTS, Batch) and (key, DEAD, [(reason, record)]). A key stands for a shard.

    Rows are made when the watermark passes, all that are due at once: live that is one row an asset, behind it is long
    segments. A portion from the only decoder says itself how far the watermark is about to come, which saves its rows
    the way of a timer through the JVM.

    State is a snapshot of the rows and a journal of what came since, so that live a portion costs one small write.
    """

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec

    def open(self, runtime_context: RuntimeContext) -> None:
        beam.hasten()
        blob = Types.PICKLED_BYTE_ARRAY()
        self._rows = runtime_context.get_state(ValueStateDescriptor("rows", blob))
        self._journal = runtime_context.get_list_state(ListStateDescriptor("journal", blob))
        self._names = runtime_context.get_state(ValueStateDescriptor("names", blob))
        self._strange_state = runtime_context.get_state(ValueStateDescriptor("strange", blob))
        self._routes = Routes(self._spec)
        self._shards: dict[int, DurableShard] = {}
        self._strange: dict[int, StrangeTags] = {}
        self._timer: dict[int, int] = {}

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[tuple]:
        key, portion = ctx.get_current_key(), pickle.loads(value)  # noqa: S301 - our own, from the operator before
        shard = self._shard(key)
        letters = portion.letters
        if len(portion.place):
            letters = letters + shard.take((portion.place, portion.ts, portion.value))
        if portion.strange:
            letters = letters + self._count(key, portion, ctx)
        if letters:
            yield key, DEAD, letters
        if portion.complete is not None:
            for batch in shard.advance(portion.complete):
                yield key, SEGMENTS, batch
        self._watch(key, shard, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[tuple]:
        key = ctx.get_current_key()
        shard = self._shard(key)
        is_event_time = ctx.time_domain() == TimeDomain.EVENT_TIME
        if not is_event_time or timestamp >= LAST_INSTANT:
            letters = self._strange_of(key).letters()
            self._strange_state.clear()
            if letters:
                yield key, DEAD, letters
        if not is_event_time:
            return
        self._timer.pop(key, None)
        complete = min(max(ctx.timer_service().current_watermark(), timestamp), LAST_INSTANT)
        for batch in shard.advance(complete):
            yield key, SEGMENTS, batch
        self._watch(key, shard, ctx)

    def _watch(self, key: int, shard: DurableShard, ctx: KeyedProcessFunction.Context) -> None:
        """Set the timer of the next row, unless an earlier one is set."""
        due = shard.next_edge()
        if due is not None and due < self._timer.get(key, LAST_INSTANT):
            self._timer[key] = due
            ctx.timer_service().register_event_time_timer(due)

    def _count(self, key: int, portion: Portion, ctx: KeyedProcessFunction.Context) -> list[tuple[str, bytes]]:
        tags = self._strange_of(key)
        if not tags.counts:
            ctx.timer_service().register_processing_time_timer(int(time.time() * 1000) + STRANGE_EVERY_MS)
            ctx.timer_service().register_event_time_timer(LAST_INSTANT)  # a drained stream leaves none behind
        letters = tags.add(portion.strange)
        self._strange_state.update(tags.counts)
        return letters

    def _strange_of(self, key: int) -> StrangeTags:
        tags = self._strange.get(key)
        if tags is None:
            tags = self._strange[key] = StrangeTags(self._spec.kafka.readings)
            tags.counts = self._strange_state.value() or {}
        return tags

    def _shard(self, key: int) -> DurableShard:
        shard = self._shards.get(key)
        if shard is None:
            number = shards_of(self._spec.shards)[key]
            shard = DurableShard(self._routes, number, self._rows, self._journal, self._names)
            self._shards[key] = shard
        return shard
