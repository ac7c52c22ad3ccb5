"""Flink's keyed state, timers, clock and metrics in memory, for one process function: state outlives its tasks."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pyflink.datastream import TimeDomain


@dataclass
class Kept:
    """What a checkpoint contains: values by (name, key), pickled, and timers (domain, key, instant in ms)."""

    values: dict[tuple[str, int], tuple[bytes, ...]] = field(default_factory=dict)
    timers: set[tuple[TimeDomain, int, int]] = field(default_factory=set)

    def copy(self) -> Kept:
        return Kept(dict(self.values), set(self.timers))


class Task:
    """The runtime context, contexts of calls and the timer service of a task. `kept` is the whole job's."""

    def __init__(self, kept: Kept, task: int, parallelism: int) -> None:
        self.kept, self._task, self._parallelism = kept, task, parallelism
        self._keyed_state_backend = self
        self._domain = TimeDomain.PROCESSING_TIME
        self.key = 0
        self.metrics = Metrics()

    # -- the runtime context --

    def get_number_of_parallel_subtasks(self) -> int:
        return self._parallelism

    def get_index_of_this_subtask(self) -> int:
        return self._task

    def get_state(self, descriptor: Any) -> Value:
        return Value(self, descriptor.name)

    def get_list_state(self, descriptor: Any) -> Pieces:
        return Pieces(self, descriptor.name)

    def get_metrics_group(self) -> Metrics:
        return self.metrics

    def set_current_key(self, key: Any) -> None:
        self.key = key[0]

    # -- the context of a call, with its timer service --

    def at(self, key: int, domain: TimeDomain) -> Task:
        """As the context of a timer of `key`."""
        self.key, self._domain = key, domain
        return self

    def get_current_key(self) -> int:
        return self.key

    def time_domain(self) -> TimeDomain:
        return self._domain

    def timer_service(self) -> Task:
        return self

    def register_processing_time_timer(self, timestamp: int) -> None:
        self.kept.timers.add((TimeDomain.PROCESSING_TIME, self.key, timestamp))

    def register_event_time_timer(self, timestamp: int) -> None:
        self.kept.timers.add((TimeDomain.EVENT_TIME, self.key, timestamp))


@dataclass
class State:
    """State of the current key."""

    task: Task
    name: str

    @property
    def content(self) -> tuple[bytes, ...]:
        return self.task.kept.values.get((self.name, self.task.key), ())

    def _keep(self, content: tuple[bytes, ...]) -> None:
        self.task.kept.values[self.name, self.task.key] = content

    def clear(self) -> None:
        self.task.kept.values.pop((self.name, self.task.key), None)


class Value(State):
    def value(self) -> Any:
        return pickle.loads(self.content[0]) if self.content else None  # noqa: S301 - own data

    def update(self, value: Any) -> None:
        self._keep((pickle.dumps(value),))


class Pieces(State):
    def get(self) -> Iterator[Any]:
        return (pickle.loads(piece) for piece in self.content)  # noqa: S301 - own data

    def add(self, piece: Any) -> None:
        self._keep((*self.content, pickle.dumps(piece)))


class Metrics:
    """Counters and gauges by name; those of a group by (value, name)."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gauges: dict[Any, Callable[[], int]] = {}

    def counter(self, name: str) -> Any:
        counts = self.counts

        class Counted:
            def inc(self, by: int = 1) -> None:
                counts[name] += by

        return Counted()

    def gauge(self, name: str, of: Callable[[], int]) -> None:
        self.gauges[name] = of

    def add_group(self, name: str, value: str) -> Any:
        gauges = self.gauges

        class Group:
            def gauge(self, figure: str, of: Callable[[], int]) -> None:
                gauges[name, value, figure] = of

        return Group()
