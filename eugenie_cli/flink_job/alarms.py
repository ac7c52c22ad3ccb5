"""The alarms of a shard: its desk with what Flink keeps of it, and the timers that watch what is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from pyflink.datastream import TimerService
from pyflink.datastream.state import ValueState

from eugenie_cli.flink_job.alarm_state import AlarmState, Record
from eugenie_cli.flink_job.episode_state import ClassState
from eugenie_cli.flink_job.predict import ScoredBatch
from eugenie_cli.flink_job.spec import JobSpec


class Alarms:
    """A `AlarmState` and its state in Flink. To be used where the shard's key is current.

    Event time closes the anomaly of an asset that falls silent. When the whole plant is silent no event time passes;
    then the wall clock closes what is open, `silent_plant_ms` after the last row.
    """

    def __init__(
        self, spec: JobSpec, state: ValueState, classes_then: Callable[[], Mapping[str, ClassState]] = dict
    ) -> None:
        """`classes_then`: the class of each asset in the job that kept the state, as `episode_state.classes_of_rows`
        says it."""
        self._silent_plant_ms = spec.silent_plant_ms
        self._state = state
        self._desk = AlarmState(spec)
        kept = state.value()
        self._has_state = kept is not None
        if kept is not None:
            self._desk.restore(kept, classes_then())
        # the wall clock of the last row, and the timers that are set: not kept, because a restart is no silence
        self._heard = _wall_ms()
        self._deadline: int | None = None
        self._alarm_clock: int | None = None

    def begin(self, timers: TimerService) -> Iterator[Record]:
        """First of all: close what a restored state has open of assets that are gone. To be exhausted."""
        if self._has_state:
            yield from self._desk.close_departed()
            self._keep(timers)

    def is_due(self, now_ms: int) -> bool:
        """Whether something open may have been silent for too long at event time `now_ms`."""
        return self._deadline is not None and now_ms >= self._deadline

    def take(self, scored: ScoredBatch, timers: TimerService) -> Iterator[Record]:
        """`AlarmState.take`. To be exhausted."""
        self._heard = _wall_ms()
        yield from self._desk.take(scored)
        self._keep(timers)

    def on_event_time(self, now_ms: int, timers: TimerService) -> Iterator[Record]:
        """Event time has come to `now_ms`: what is silent by then is closed. To be exhausted."""
        if self.is_due(now_ms):
            self._deadline = None
        yield from self._desk.close_silent(now_ms)
        self._keep(timers)

    def on_wall_clock(self, timer_ms: int, timers: TimerService) -> Iterator[Record]:
        """A timer of the wall clock: when the whole plant is silent, everything is closed. To be exhausted."""
        if self._alarm_clock == timer_ms:  # else it is somebody else's timer, or one from before a restart
            self._alarm_clock = None
        if _wall_ms() - self._heard >= self._silent_plant_ms:
            yield from self._desk.close_all()
        self._keep(timers)

    def _keep(self, timers: TimerService) -> None:
        """Hand the state over, and set the timers."""
        kept = self._desk.state()
        if kept:
            self._state.update(kept)
        elif self._has_state:
            self._state.clear()
        self._has_state = bool(kept)
        deadline = self._desk.next_deadline()
        if deadline is None:
            return
        if self._deadline is None or self._deadline >= deadline:  # an earlier one sets the next when it fires
            self._deadline = deadline
            timers.register_event_time_timer(deadline)
        if self._alarm_clock is None:
            self._alarm_clock = _wall_ms() + self._silent_plant_ms
            timers.register_processing_time_timer(self._alarm_clock)


def _wall_ms() -> int:
    return int(time.time() * 1000)
