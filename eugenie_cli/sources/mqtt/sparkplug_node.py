"""What is known about an edge node: which metric each alias is, the sequence number, whether it is alive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eugenie_cli.sources.mqtt.received import Received

SEQUENCE = 256  # numbers of messages are counted from 0 to 255


class Metric(NamedTuple):
    """A metric of a birth certificate. `device`: "" for the node's own; `place`: its sensor, -1 if there is none."""

    device: str
    name: str
    datatype: int
    place: int


@dataclass
class Held:
    """A message whose aliases are uncertain. `until`: when it is given up, monotonic seconds."""

    message: Received
    payload: Any
    until: float


@dataclass
class Node:
    """`doubtful`: a message was lost, which may have given aliases another meaning; `birth`: number of its session;
    `asked`: when it was last asked for a rebirth, monotonic seconds; `latest_ms`, `latest_at_ms`: the timestamp of its
    last message, and when that arrived.
    """

    group: str
    name: str
    aliases: dict[int, Metric] = field(default_factory=dict)
    metrics: dict[tuple[str, str], Metric] = field(default_factory=dict)
    is_born: bool = False
    doubtful: bool = False
    seq: int | None = None
    birth: int | None = None
    asked: float | None = None
    latest_ms: int | None = None
    latest_at_ms: int = 0
    held: list[Held] = field(default_factory=list)
    former: dict[int, Metric] = field(default_factory=dict)
    """What aliases meant before the last birth of the node, for the messages in `held`."""

    def follows(self, seq: int) -> bool:
        """Whether a message is the next one; afterwards it counts as the last."""
        expected = None if self.seq is None else (self.seq + 1) % SEQUENCE
        self.seq = seq
        return expected is None or seq == expected

    def forget(self, device: str | None = None) -> None:
        """Forget the metrics of a device, or of the whole node."""
        if device is None:
            self.aliases, self.metrics = {}, {}
            return
        self.aliases = {alias: metric for alias, metric in self.aliases.items() if metric.device != device}
        self.metrics = {key: metric for key, metric in self.metrics.items() if metric.device != device}

    def sees(self, message: Received, payload: Any) -> None:
        if payload.timestamp:
            self.latest_ms, self.latest_at_ms = int(payload.timestamp), message.at_ms

    def now_ms(self, at_ms: int) -> int:
        """The node's own time when something arrives: its clock may be wrong, and messages may come with a delay."""
        return at_ms if self.latest_ms is None else self.latest_ms + max(1, at_ms - self.latest_at_ms)

    def agrees(self, payload: Any) -> bool:
        """Whether the aliases of a payload mean the same now as they did before."""
        used = [metric.alias for metric in payload.metrics if not metric.name]
        return all(alias in self.former and self.former[alias] == self.aliases.get(alias) for alias in used)

    def metric_of(self, device: str, name: str, alias: int | None) -> Metric | None:
        """A metric by its name, or else by its alias; None if it is in no birth certificate."""
        if name:
            return self.metrics.get((device, name))
        return None if alias is None else self.aliases.get(alias)
