"""The offsets that the job has read: recognises a readings topic that was made anew while the job runs. Pure.

Flink's source knows a topic by its name. In a new topic of this name its offsets mean nothing, and Kafka's client goes
on at the first record. The job would continue under the recorded id of the former topic, and whoever follows the advice
to read the new topic from its beginning would write its rows twice. In one topic, offsets only grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Heard = Mapping[int, tuple[int, int]]
"""Partition -> the smallest and the largest offset of some records that were read from it."""


class TopicRecreatedError(RuntimeError):
    """The topic is not the one from which the job has read before."""


class ReadOffsets:
    """The largest offset that was read of each partition. `offsets` is the state, plain data."""

    def __init__(self, topic: str, states: Iterable[Mapping[int, int] | None] = ()) -> None:
        """`states`: `offsets` of earlier tasks, of which the largest count."""
        self._topic = topic
        self.offsets: dict[int, int] = {}
        for state in states:
            for partition, offset in (state or {}).items():
                self.offsets[partition] = max(offset, self.offsets.get(partition, -1))

    def hear(self, heard: Heard) -> None:
        """Records have been read. Raises TopicRecreatedError when one of them is not after the former ones."""
        for partition, (smallest, largest) in heard.items():
            before = self.offsets.get(partition, -1)
            if smallest <= before:
                raise TopicRecreatedError(
                    f"topic {self._topic} was recreated, or has lost records: in partition {partition}, offset"
                    f" {smallest} comes after {before}"
                )
            self.offsets[partition] = largest
