"""The alarms of a shard: an `AlarmState`, its copy in Flink's state, and the timers for open anomalies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from pyflink.datastream import TimerService
from pyflink.datastream.state import ValueState

from eugenie_cli.flink_job.alarm_state import AlarmState, Record
from eugenie_cli.flink_job.episode_state import ClassState
from eugenie_cli.flink_job.predict import ScoredBatch
from eugenie_cli.flink_job.spec import JobSpec


class Alarms:
    """An `AlarmState` and its state in Flink. The shard's key must be current when a method is called.

    The clock of an asset closes its anomaly when it falls silent. When the whole plant is silent, these clocks stop;
    then the wall clock closes open anomalies, `silent_plant_ms` after the last readings.

    Methods that return an iterator must be iterated to the end.
    """

    def __init__(
        self, spec: JobSpec, state: ValueState, former_classes: Callable[[], Mapping[str, ClassState]] = dict
    ) -> None:
        """`former_classes`: each asset's class in the job that wrote the state: `episode_state.classes_of_rows`."""
        self._silent_plant_ms = spec.silent_plant_ms
        self._state = state
        self._alarm_state = AlarmState(spec)
        kept = state.value()
        self._has_state = kept is not None
        if kept is not None:
            self._alarm_state.restore(kept, former_classes())
        self._alarm_clock: int | None = None

    def begin(self, timers: TimerService) -> Iterator[Record]:
        """To be called first: close anomalies from a restored state whose assets have left the site."""
        if self._has_state:
            yield from self._alarm_state.close_departed()
            self._keep(timers)

    @property
    def has_open(self) -> bool:
        """`AlarmState.has_open`."""
        return self._alarm_state.has_open

    def silent(self, clock_of: Callable[[str], int | None]) -> list[str]:
        """`AlarmState.silent`."""
        return self._alarm_state.silent(clock_of)

    def take(self, scored: ScoredBatch, timers: TimerService) -> Iterator[Record]:
        """`AlarmState.take`."""
        yield from self._alarm_state.take(scored)
        self._keep(timers)

    def close_silent(self, clock_of: Callable[[str], int | None], timers: TimerService) -> Iterator[Record]:
        """`AlarmState.close_silent`."""
        yield from self._alarm_state.close_silent(clock_of)
        self._keep(timers)

    def reset(self, assets: Iterable[str], timers: TimerService) -> Iterator[Record]:
        """`AlarmState.reset`."""
        yield from self._alarm_state.reset(assets)
        self._keep(timers)

    def close_all(self, timers: TimerService) -> Iterator[Record]:
        """The stream has ended: close every open anomaly."""
        yield from self._alarm_state.close_all()
        self._keep(timers)

    def on_wall_clock(self, timer_ms: int, is_plant_silent: bool, timers: TimerService) -> Iterator[Record]:
        """A wall-clock timer fired: if the whole plant is silent, close everything."""
        if self._alarm_clock == timer_ms:  # otherwise the timer is another one of the task, or predates a restart
            self._alarm_clock = None
        if is_plant_silent:
            yield from self._alarm_state.close_all()
        self._keep(timers)

    def _keep(self, timers: TimerService) -> None:
        """Write the state and set the timers."""
        kept = self._alarm_state.state()
        if kept:
            self._state.update(kept)
        elif self._has_state:
            self._state.clear()
        self._has_state = bool(kept)
        if self._alarm_state.has_open and self._alarm_clock is None:
            self._alarm_clock = _wall_ms() + self._silent_plant_ms
            timers.register_processing_time_timer(self._alarm_clock)


def _wall_ms() -> int:
    return int(time.time() * 1000)
