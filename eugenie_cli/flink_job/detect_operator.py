"""The keyed operator that does the main work: readings -> rows -> predictions -> scores and anomalies."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain, TimerService
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from eugenie_cli.flink_job import asset_reports, beam_patches
from eugenie_cli.flink_job.alarm_state import ANOMALY, DEAD, Record
from eugenie_cli.flink_job.alarms import Alarms
from eugenie_cli.flink_job.anomaly_keys import AnomalyKeys
from eugenie_cli.flink_job.asset_reports import AssetReports
from eugenie_cli.flink_job.changed_gauges import ChangedGauges
from eugenie_cli.flink_job.episode_state import ClassState, classes_of_rows
from eugenie_cli.flink_job.key_context import KeyContext
from eugenie_cli.flink_job.key_groups import shards_of, tasks
from eugenie_cli.flink_job.listening import Listening
from eugenie_cli.flink_job.predict import Predictor
from eugenie_cli.flink_job.sensor_index import SensorIndex, shard_of
from eugenie_cli.flink_job.share import Readings, Share, joined
from eugenie_cli.flink_job.snapshot_journal import ShardState
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.task_counts import TaskCounts
from eugenie_cli.flink_job.task_rows import TaskRows
from eugenie_cli.readings.reject_reasons import REASONS

LAST_INSTANT = 253_402_300_799_000
"""A timer of event time at this instant (the year 9999) fires when the stream is drained, and never before: then the
watermark is the largest 64-bit integer."""

SILENCE_EVERY_MS = 1_000
"""How often (wall clock) rows of silent assets are looked for while no share arrives."""

REPORT_EVERY_MS = 1_000
"""How often (wall clock) the clocks of all assets are looked at, and what is to be said of them is reported."""

UNKNOWN_TAGS_EVERY_MS = 10_000
"""How often (wall clock) dead letters about unknown tags are written."""


class Detect(KeyedProcessFunction):
    """Pickled shares -> rows (kind, key, [JSON]). Records of the same kind and key leave together.

    An element is the share of a whole task, whichever of its shards owns the element's key; state and timers are
    switched from shard to shard. So live, a batch costs one element and one call of the model.

    Every asset has its own clock (`asset_clocks`). After each share all rows that are due are made at once: one row
    per asset live, long segments when behind. Timers of the wall clock make the last rows of silent assets. The model
    is called while the element is processed, so Flink's state never contains a pending call.
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
        self._resets = runtime_context.get_state(ValueStateDescriptor("resets", blob))
        self._current = KeyContext(runtime_context, spec.shards)
        self._own_shards = tasks(spec.shards, spec.parallelism).get(runtime_context.get_index_of_this_subtask(), ())
        self._routes = SensorIndex(spec)
        self._shard_of = {asset.name: shard_of(asset.name, spec.shards) for asset in spec.assets}.__getitem__
        self._keys = AnomalyKeys(spec.anomaly_partitions)
        self._rows = TaskRows(self._routes, self._own_shards)
        self._state_of: dict[int, ShardState] = {}
        self._alarms_of: dict[int, Alarms] = {}
        self._counts = TaskCounts(spec, runtime_context, self._current, self._own_shards)
        self._listening = Listening(spec.partitions, spec.idle_timeout_ms, spec.silent_plant_ms)
        self._has_begun = False
        self._silence_timer: int | None = None
        self._tags_timer: int | None = None
        group = runtime_context.get_metrics_group()
        self._calls, self._windows = group.counter("predictCalls"), group.counter("predictWindows")
        self._millis = group.counter("predictMillis")
        self._reports = AssetReports(ChangedGauges(group, asset_reports.GROUP).set)
        self._reported_ms = 0
        self._letters = {reason: group.counter(f"deadLetters_{reason}") for reason in REASONS}
        group.gauge("ignoredReadings", lambda: self._counts.ignored)
        group.gauge("repeatedReadings", lambda: self._counts.repeated)
        group.gauge("conflictingReadings", lambda: self._rows.conflicts)
        self._predictor = Predictor(spec, self._note_call)

    def close(self) -> None:
        self._predictor.close()

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        share: Share = pickle.loads(value)  # noqa: S301 - written by our own upstream operator
        timers, wall_ms = ctx.timer_service(), _wall_ms()
        yield from self._begin(timers)
        self._counts.hear(share.heard)
        self._listening.hear(share.heard, wall_ms)
        letters = share.letters
        if share.readings:
            letters = letters + self._take(joined(share.readings))
        self._report(share, wall_ms)
        if share.unknown_tags:
            self._counts.add_unknown(share.unknown_tags, lambda: self._begin_interval(timers))
        yield from self._dead(letters)
        yield from self._detect(timers)
        self._watch(wall_ms, timers)
        self._listening.done(_wall_ms())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        shard, timers = shards_of(self._spec.shards)[ctx.get_current_key()], ctx.timer_service()
        yield from self._begin(timers)
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            if timestamp >= LAST_INSTANT:  # earlier releases set timers at edges of rows
                yield from self._drain(shard, timers)
            return
        wall_ms = _wall_ms()
        self._report_clocks(wall_ms)
        is_silent = self._listening.is_plant_silent(wall_ms)
        if shard == self._own_shards[0]:
            if self._tags_timer is None or timestamp >= self._tags_timer:
                self._tags_timer = None
                yield from self._dead(self._counts.letters())
            if self._silence_timer is not None and timestamp >= self._silence_timer:
                self._silence_timer = None
                yield from self._detect(timers, is_silent)
        for own in self._own_shards if is_silent else (shard,):
            yield from self._together(self._alarms(own).on_wall_clock(timestamp, is_silent, timers))
        self._watch(wall_ms, timers)

    def _begin(self, timers: TimerService) -> Iterator[Row]:
        """Once, before anything else: close and report what the state holds of assets that left, or are to be reset.

        In every shard of the task, because a shard that lost its last asset is never selected again.
        """
        if self._has_begun:
            return
        self._has_begun = True
        self._listening.done(_wall_ms())  # silence counts from here: a restart is none
        for shard in self._own_shards:  # alarms first: they need the rows' state of the former job
            yield from self._together(self._alarms(shard).begin(timers))
        states = self._rows_state, self._journal, self._names, self._resets
        for shard in self._own_shards:
            self._current.turn_to(shard)
            self._state_of[shard] = state = ShardState(self._routes, self._rows, shard, states)
            yield from self._dead(state.orphans)
            if state.reset_assets:
                yield from self._together(self._alarms(shard).reset(state.reset_assets, timers))
            timers.register_event_time_timer(LAST_INSTANT)  # a drained stream leaves nothing behind
        self._counts.begin()

    def _take(self, readings: Readings) -> list[tuple[str, bytes]]:
        """Add readings, in the order of shards. Returns the dead letters about late ones."""
        taken, letters = self._rows.take(readings, self._listening.now, self._listening.latest)
        self._counts.repeat(self._rows.repeated)
        self._rows.repeated = 0
        shard_of = self._routes.shard[taken[0]]
        for shard in np.unique(shard_of).tolist():
            own = slice(*np.searchsorted(shard_of, (shard, shard + 1)).tolist())
            self._current.turn_to(shard)
            self._state_of[shard].take((taken[0][own], taken[1][own], taken[2][own]))
        return letters

    def _detect(self, timers: TimerService, is_silent: bool = False) -> Iterator[Row]:
        """Make, score and judge the rows that are due; close anomalies of silent assets."""
        if not (self._listening.has_started or is_silent or self._rows.is_crowded):
            return
        now = self._listening.now
        self._rows.complete(now, is_silent)
        yield from self._score(timers)
        clock_of = self._rows.clocks_now(now) if any(alarms.has_open for alarms in self._alarms_of.values()) else None
        if clock_of is None:
            return
        silent = {shard: assets for shard, alarms in self._alarms_of.items() if (assets := alarms.silent(clock_of))}
        if not silent:
            return
        self._rows.release([asset for assets in silent.values() for asset in assets], clock_of)
        yield from self._score(timers)
        for shard in silent:
            yield from self._together(self._alarms(shard).close_silent(clock_of, timers))

    def _score(self, timers: TimerService) -> Iterator[Row]:
        """Make, score and judge the rows that are due."""
        places, until = self._rows.due()
        if not len(places):
            return
        for batch in self._predictor.scored(self._rows.segments()):
            for shard, scored in batch.by_group(self._shard_of):
                yield from self._together(self._alarms(shard).take(scored, timers))
        shard_of = self._routes.shard[places]
        for shard in np.unique(shard_of).tolist():
            own = shard_of == shard
            self._current.turn_to(shard)
            self._state_of[shard].made((places[own], until[own]))

    def _drain(self, shard: int, timers: TimerService) -> Iterator[Row]:
        """The stream has ended: make the last rows, close the anomalies of a shard, report what was counted."""
        if shard == self._own_shards[0]:
            yield from self._dead(self._counts.letters())
        self._rows.finish()
        yield from self._score(timers)
        yield from self._together(self._alarms(shard).close_all(timers))

    def _watch(self, wall_ms: int, timers: TimerService) -> None:
        """Set a timer for the last rows of silent assets, or to look again at a silence of the plant."""
        is_needed = self._listening.is_in_doubt or self._rows.is_waiting()
        if self._silence_timer is None and self._own_shards and is_needed:
            self._silence_timer = wall_ms + SILENCE_EVERY_MS
            self._current.turn_to(self._own_shards[0])
            timers.register_processing_time_timer(self._silence_timer)

    def _begin_interval(self, timers: TimerService) -> None:
        """Unknown tags have been counted: set the timer for their letters. The first shard's key must be current."""
        self._tags_timer = _wall_ms() + UNKNOWN_TAGS_EVERY_MS
        timers.register_processing_time_timer(self._tags_timer)

    # -- what belongs to a shard and its key --

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

    def _report(self, share: Share, wall_ms: int) -> None:
        """Keep the figures of assets whose clocks or readings people should know about."""
        for asset, (count, by_ms) in share.future.items():
            self._reports.future(asset, count, by_ms)
        for asset, (count, by_ms) in self._rows.late_by.items():
            self._reports.late(asset, count, by_ms)
        self._rows.late_by.clear()
        self._report_clocks(wall_ms)

    def _report_clocks(self, wall_ms: int) -> None:
        if not 0 <= wall_ms - self._reported_ms < REPORT_EVERY_MS:
            self._reported_ms = wall_ms
            self._reports.clocks(self._rows.clocks(self._listening.now))
            self._reports.report()

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


def _wall_ms() -> int:
    return int(time.time() * 1000)
