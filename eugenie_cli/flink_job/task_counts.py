"""What a task keeps in the state of its first shard besides rows: counts, and the offsets that were read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pyflink.common import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from eugenie_cli.flink_job.key_context import KeyContext
from eugenie_cli.flink_job.read_offsets import Heard, ReadOffsets
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.unknown_tags import IGNORE, Key, UnknownTag, UnknownTags

OFFSETS_EVERY_MS = 1_000
"""How often (wall clock) the offsets are written to the state. Older ones recognise a new topic just as well."""


class TaskCounts:
    """Unknown tags, ignored and repeated readings, read offsets. Methods leave the first shard's key current."""

    def __init__(self, spec: JobSpec, context: RuntimeContext, current: KeyContext, shards: Sequence[int]) -> None:
        """`shards`: of the task."""
        self._ignores_unknown = spec.unknown == IGNORE
        self._topic = spec.kafka.readings
        self._current, self._shards = current, tuple(shards)
        blob = Types.PICKLED_BYTE_ARRAY()
        self._tags_state = context.get_state(ValueStateDescriptor("strange", blob))
        self._ignored_state = context.get_state(ValueStateDescriptor("ignored", Types.LONG()))
        self._repeated_state = context.get_state(ValueStateDescriptor("repeated", Types.LONG()))
        self._offsets_state = context.get_state(ValueStateDescriptor("offsets", blob))
        self._tags = UnknownTags(spec.kafka.readings)
        self._offsets = ReadOffsets(self._topic)
        self._written_ms = 0
        self.ignored = 0
        """Readings of unknown tags that were ignored, since the state is kept."""
        self.repeated = 0
        """Readings that only repeated the last one of their sensor."""

    def begin(self) -> None:
        """Restore the state. To be called before any other method."""
        if not self._shards:
            return
        states = []
        for shard in self._shards:
            self._current.turn_to(shard)
            states.append(self._offsets_state.value())
        self._offsets = ReadOffsets(self._topic, states)
        self._turn_to_first()
        self._tags.counts = self._tags_state.value() or {}
        self.ignored = self._ignored_state.value() or 0
        self.repeated = self._repeated_state.value() or 0

    def hear(self, heard: Heard) -> None:
        """Records have been read. Raises TopicRecreatedError: see `ReadOffsets.hear`."""
        self._offsets.hear(heard)
        wall_ms = int(time.time() * 1000)
        if heard and not 0 <= wall_ms - self._written_ms < OFFSETS_EVERY_MS:
            self._written_ms = wall_ms
            self._turn_to_first()
            self._offsets_state.update(self._offsets.offsets)

    def repeat(self, count: int) -> None:
        """Count repeated readings."""
        if count:
            self.repeated += count
            self._turn_to_first()
            self._repeated_state.update(self.repeated)

    def add_unknown(self, counts: dict[Key, UnknownTag], begin_interval: Callable[[], None]) -> None:
        """Count readings of unknown tags. `begin_interval`: called when they are the first since `letters`."""
        self._turn_to_first()
        if self._ignores_unknown:
            self.ignored += sum(entry.count for entry in counts.values())
            self._ignored_state.update(self.ignored)
            return
        if not self._tags.counts:
            begin_interval()
        self._tags.add(counts)
        self._tags_state.update(self._tags.counts)

    def letters(self) -> list[tuple[str, bytes]]:
        """Dead letters about the unknown tags that were counted."""
        self._turn_to_first()
        letters = self._tags.letters()
        if letters:
            self._tags_state.clear()
        return letters

    def _turn_to_first(self) -> None:
        self._current.turn_to(self._shards[0])
