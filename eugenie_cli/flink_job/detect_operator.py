"""The keyed operator that does the main work: readings -> rows -> predictions -> scores and anomalies."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain, TimerService
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from eugenie_cli.flink_job import beam_patches
from eugenie_cli.flink_job.alarm_state import ANOMALY, DEAD, Record
from eugenie_cli.flink_job.alarms import Alarms
from eugenie_cli.flink_job.anomaly_keys import AnomalyKeys
from eugenie_cli.flink_job.batching import Work
from eugenie_cli.flink_job.decode import Share
from eugenie_cli.flink_job.episode_state import ClassState, classes_of_rows
from eugenie_cli.flink_job.key_context import KeyContext
from eugenie_cli.flink_job.key_groups import shards_of, tasks
from eugenie_cli.flink_job.predict import Predictor
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.snapshot_journal import JournaledShard
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.unknown_tags import IGNORE, UnknownTags
from eugenie_cli.flink_job.watermark import Watermark
from eugenie_cli.readings.reject_reasons import REASONS

LAST_INSTANT = 253_402_300_799_000
"""Rows end here at the latest (the year 9999): the watermark of a drained stream is the largest 64-bit integer."""

UNKNOWN_TAGS_EVERY_MS = 10_000
"""How often (wall clock) dead letters about unknown tags are written."""


class Detect(KeyedProcessFunction):
    """Pickled shares -> rows (kind, key, [JSON]). Records of the same kind and key leave together.

    An element is the share of a whole task, whichever of its shards owns the element's key; state and timers are
    switched from shard to shard. So live, a batch costs one element and one call of the model.

    When event time advances, all due rows are made at once: one row per asset live, long segments when behind. Each
    share carries its decoder's event time. That spares its rows the detour of a timer through the JVM, and lets the
    task continue when another decoder has nothing to read: Flink's own watermark would wait for it indefinitely. The
    model is called while the element is processed, so Flink's state never contains a pending call.
    """

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec

    def open(self, runtime_context: RuntimeContext) -> None:
        beam_patches.apply()
        spec, blob = self._spec, Types.PICKLED_BYTE_ARRAY()
        if runtime_context.get_number_of_parallel_subtasks() != spec.parallelism:
            raise RuntimeError(
                f"the job was built for a parallelism of {spec.parallelism}: stop it and submit it again"
            )
        self._rows_state = runtime_context.get_state(ValueStateDescriptor("rows", blob))
        self._journal = runtime_context.get_list_state(ListStateDescriptor("journal", blob))
        self._names = runtime_context.get_state(ValueStateDescriptor("names", blob))
        self._episodes = runtime_context.get_state(ValueStateDescriptor("episodes", blob))
        self._unknown_tags_state = runtime_context.get_state(ValueStateDescriptor("strange", blob))
        self._ignored_state = runtime_context.get_state(ValueStateDescriptor("ignored", Types.LONG()))
        self._current = KeyContext(runtime_context, spec.shards)
        self._own_shards = tasks(spec.shards, spec.parallelism).get(runtime_context.get_index_of_this_subtask(), ())
        self._routes = SensorIndex(spec)
        self._keys = AnomalyKeys(spec.anomaly_partitions)
        self._rows_of: dict[int, JournaledShard] = {}
        self._alarms_of: dict[int, Alarms] = {}
        self._unknown_tags: UnknownTags | None = None
        self._ignored = 0
        self._clock = Watermark.of_decoders(spec.parallelism, spec.idle_timeout_ms)
        self._has_begun = False
        self._timer: dict[int, int] = {}
        group = runtime_context.get_metrics_group()
        self._calls, self._windows = group.counter("predictCalls"), group.counter("predictWindows")
        self._millis = group.counter("predictMillis")
        self._letters = {reason: group.counter(f"deadLetters_{reason}") for reason in REASONS}
        group.gauge("ignoredReadings", lambda: self._ignored)
        self._predictor = Predictor(spec, self._note_call)

    def close(self) -> None:
        self._predictor.close()

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        share: Share = pickle.loads(value)  # noqa: S301 - written by our own upstream operator
        yield from self._begin(ctx.timer_service())
        letters = share.letters
        for shard, readings in share.readings.items():
            letters = letters + self._rows(shard).take(readings)
        if share.unknown_tags:
            self._count(share.unknown_tags, ctx.timer_service())
        yield from self._dead(letters)
        if share.complete is not None:
            yield from self._detect(self._event_time(share.decoder, share.complete), ctx.timer_service())
        self._watch(ctx.timer_service())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        shard, timers = shards_of(self._spec.shards)[ctx.get_current_key()], ctx.timer_service()
        is_event_time = ctx.time_domain() == TimeDomain.EVENT_TIME
        yield from self._begin(timers)
        self._current.turn_to(shard)
        if shard == self._own_shards[0] and (not is_event_time or timestamp >= LAST_INSTANT):
            yield from self._dead(self._counted())
        if not is_event_time:
            yield from self._together(self._alarms(shard).on_wall_clock(timestamp, timers))
            return
        self._timer.pop(shard, None)
        yield from self._detect(min(max(timers.current_watermark(), timestamp), LAST_INSTANT), timers)
        yield from self._together(self._alarms(shard).on_event_time(timestamp, timers))
        self._watch(timers)

    def _begin(self, timers: TimerService) -> Iterator[Row]:
        """Once, before anything else: close and report what the state holds of assets that left the site file.

        In every shard of the task, because a shard that lost its last asset is never selected again.
        """
        if self._has_begun:
            return
        self._has_begun = True
        for shard in self._own_shards:  # alarms first: they need the rows' state of the former job
            yield from self._together(self._alarms(shard).begin(timers))
        for shard in self._own_shards:
            yield from self._dead(self._rows(shard).orphans)
        if self._own_shards:
            self._current.turn_to(self._own_shards[0])
            self._ignored = self._ignored_state.value() or 0

    def _event_time(self, decoder: int, complete: int) -> int:
        """Event time of the task when a decoder reports `complete` (ms)."""
        if self._spec.parallelism == 1:
            return complete
        return self._clock.advance({decoder: complete}, int(time.time() * 1000))

    def _detect(self, until: int, timers: TimerService) -> Iterator[Row]:
        """Make, score and judge the rows of all shards due at `until` (ms); close anomalies of silent assets."""
        for shard, scored in self._predictor.scored(self._due(until)):
            yield from self._together(self._alarms(shard).take(scored, timers))
        for shard, alarms in self._alarms_of.items():
            if alarms.is_due(until):
                self._current.turn_to(shard)
                yield from self._together(alarms.on_event_time(until, timers))

    def _due(self, until: int) -> Iterator[Work]:
        for shard in self._own_shards:
            for batch in self._rows(shard).advance(until):
                yield shard, batch

    def _watch(self, timers: TimerService) -> None:
        """Set the timers of the next rows unless earlier timers are set."""
        for shard, rows in self._rows_of.items():
            due = rows.next_edge()
            if due is not None and due < self._timer.get(shard, LAST_INSTANT):
                self._timer[shard] = due
                self._current.turn_to(shard)
                timers.register_event_time_timer(due)

    # -- unknown tags: counted in the task's first shard --

    def _count(self, counts: dict, timers: TimerService) -> None:
        tags = self._tags_in_state()
        if self._spec.unknown == IGNORE:
            self._ignored += sum(entry.count for entry in counts.values())
            self._ignored_state.update(self._ignored)
            return
        if not tags.counts:
            timers.register_processing_time_timer(int(time.time() * 1000) + UNKNOWN_TAGS_EVERY_MS)
            timers.register_event_time_timer(LAST_INSTANT)  # a drained stream leaves no counts behind
        tags.add(counts)
        self._unknown_tags_state.update(tags.counts)

    def _counted(self) -> list[tuple[str, bytes]]:
        letters = self._tags_in_state().letters()
        if letters:
            self._unknown_tags_state.clear()
        return letters

    # -- what belongs to a shard and its key --

    def _tags_in_state(self) -> UnknownTags:
        self._current.turn_to(self._own_shards[0])
        if self._unknown_tags is None:
            self._unknown_tags = UnknownTags(self._spec.kafka.readings)
            self._unknown_tags.counts = self._unknown_tags_state.value() or {}
        return self._unknown_tags

    def _rows(self, shard: int) -> JournaledShard:
        self._current.turn_to(shard)
        rows = self._rows_of.get(shard)
        if rows is None:
            rows = JournaledShard(self._routes, shard, self._rows_state, self._journal, self._names)
            self._rows_of[shard] = rows
        return rows

    def _alarms(self, shard: int) -> Alarms:
        self._current.turn_to(shard)
        alarms = self._alarms_of.get(shard)
        if alarms is None:
            alarms = self._alarms_of[shard] = Alarms(self._spec, self._episodes, self._former_classes)
        return alarms

    def _former_classes(self) -> dict[str, ClassState]:
        """The class of each asset in the job that wrote the state of the current shard."""
        return classes_of_rows(self._rows_state.value(), self._names.value(), self._spec)

    # -- metrics --

    def _note_call(self, windows: int, millis: float) -> None:
        self._calls.inc()
        self._windows.inc(windows)
        self._millis.inc(round(millis))

    def _dead(self, letters: list[tuple[str, bytes]]) -> Iterator[Row]:
        for reason, _ in letters:
            self._letters[reason].inc()
        if letters:
            yield Row(DEAD, "", [letter.decode() for _, letter in letters])

    def _together(self, records: Iterable[Record]) -> Iterator[Row]:
        """Records of the same kind and asset as one element; anomalies are grouped by their own keys."""
        for (kind, asset), group in groupby(records, itemgetter(0, 1)):
            texts = [text for _, _, text in group]
            if kind != ANOMALY:
                yield Row(kind, asset, texts)
                continue
            keyed = [(self._keys.of(asset, text), text) for text in texts]
            for key, same in groupby(keyed, itemgetter(0)):
                yield Row(kind, key, [text for _, text in same])
