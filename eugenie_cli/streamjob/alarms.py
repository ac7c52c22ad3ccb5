"""The keyed operator that turns scored rows into anomalies and score records."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain
from pyflink.datastream.state import ValueStateDescriptor

from eugenie_cli.readings.reasons import REASONS
from eugenie_cli.streamjob import beam
from eugenie_cli.streamjob.desk import Desk, Record
from eugenie_cli.streamjob.predict import SCORED
from eugenie_cli.streamjob.spec import JobSpec


class Alarms(KeyedProcessFunction):
    """(shard, SCORED, ScoredBatch) -> (kind, key, [JSON]); dead letters pass through, and everything is counted.

    Records of a kind and key leave together: a row of Flink's costs more than the text in it.

    Event time closes the anomaly of an asset that falls silent. When the whole plant is silent no event time passes;
    then the wall clock closes what is open, `silent_plant_ms` after the last row.
    """

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec

    def open(self, runtime_context: RuntimeContext) -> None:
        beam.hasten()
        self._state = runtime_context.get_state(ValueStateDescriptor("episodes", Types.PICKLED_BYTE_ARRAY()))
        self._desks: dict[int, Desk] = {}
        self._has_state: set[int] = set()
        # the wall clock of the last row, and the timers that are set: not kept, because a restart is no silence
        self._heard: dict[int, int] = {}
        self._deadline: dict[int, int] = {}
        self._alarm_clock: set[int] = set()
        # counted here: PyFlink loses what is counted on an asynchronous function's own thread
        group = runtime_context.get_metrics_group()
        self._calls, self._windows = group.counter("predictCalls"), group.counter("predictWindows")
        self._millis = group.counter("predictMillis")
        self._letters = {reason: group.counter(f"deadLetters_{reason}") for reason in REASONS}

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        shard, kind, content = value
        if kind != SCORED:
            for reason, _ in content:
                self._letters[reason].inc()
            yield Row(kind, "", [letter.decode() for _, letter in content])
            return
        self._calls.inc()
        self._windows.inc(content.score.size)
        self._millis.inc(round(content.took_ms))
        desk = self._desk(shard)
        self._heard[shard] = _wall_ms()
        yield from _together(desk.take(content))
        self._keep(shard, desk, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        shard = ctx.get_current_key()
        desk = self._desk(shard)
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            self._deadline.pop(shard, None)
            records = desk.close_silent(timestamp)
        else:
            self._alarm_clock.discard(shard)
            quiet_ms = _wall_ms() - self._heard.setdefault(shard, _wall_ms())
            records = desk.close_all() if quiet_ms >= self._spec.silent_plant_ms else iter(())
        yield from _together(records)
        self._keep(shard, desk, ctx)

    def _desk(self, shard: int) -> Desk:
        desk = self._desks.get(shard)
        if desk is None:
            desk = self._desks[shard] = Desk(self._spec)
            kept = self._state.value()
            if kept is not None:
                desk.restore(kept)
                self._has_state.add(shard)
        return desk

    def _keep(self, shard: int, desk: Desk, ctx: KeyedProcessFunction.Context) -> None:
        """Hand the state over, and set the timers that watch what is open."""
        kept = desk.state()
        if kept:
            self._state.update(kept)
            self._has_state.add(shard)
        elif shard in self._has_state:
            self._state.clear()
            self._has_state.discard(shard)
        deadline = desk.next_deadline()
        if deadline is None:
            return
        if self._deadline.get(shard, deadline) >= deadline:  # an earlier one sets the next when it fires
            self._deadline[shard] = deadline
            ctx.timer_service().register_event_time_timer(deadline)
        if shard not in self._alarm_clock:
            self._alarm_clock.add(shard)
            ctx.timer_service().register_processing_time_timer(_wall_ms() + self._spec.silent_plant_ms)


def _together(records: Iterable[Record]) -> Iterator[Row]:
    for (kind, key), group in groupby(records, itemgetter(0, 1)):
        yield Row(kind, key, [text for _, _, text in group])


def _wall_ms() -> int:
    return int(time.time() * 1000)
