"""Messages of Sparkplug B -> readings (Eclipse Sparkplug 3.0): births, data and deaths of nodes and their devices.

A birth certificate says which metric an alias is. After a gap in a node's sequence numbers its aliases are uncertain,
since the lost message may have been a birth: the node is asked for a rebirth, and messages wait for it.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.readings.reject_reasons import BAD_PROTOBUF, BAD_TIMESTAMP, BAD_VALUE, MISSING_FIELD
from eugenie_cli.readings.routing import Router
from eugenie_cli.readings.timestamps import MAX_INSTANT
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.mqtt.received import Received
from eugenie_cli.sources.mqtt.settings import SparkplugSettings
from eugenie_cli.sources.mqtt.sparkplug_node import Held, Metric, Node
from eugenie_cli.sources.mqtt.sparkplug_payload import REBIRTH, UndecodableError, Values, decode, flat, rebirth_command
from eugenie_cli.sources.places import Places

NAMESPACE = "spBv1.0"
KINDS = {"NBIRTH": "+", "NDATA": "+", "NDEATH": "+", "DBIRTH": "+/+", "DDATA": "+/+", "DDEATH": "+/+"}
BD_SEQ = "bdSeq"
HELD_S = 5.0  # a node answers a request for a rebirth within a second
HELD = 1_000  # messages of a node
ASK_AGAIN_S = 30.0
UNKNOWN_NAMED = 1_000  # metrics that no asset has, by name
SHOWN = 160
TAG = "{group}/{node}/{device}/{metric}"
_PLACEHOLDER = re.compile(r"\{(?:group|node|device|metric)\}")


def filters_of(settings: SparkplugSettings) -> list[str]:
    """What to subscribe to."""
    return [f"{NAMESPACE}/{group}/{kind}/{rest}" for group in settings.groups or ("+",) for kind, rest in KINDS.items()]


class SparkplugMessages:
    """Reads messages in their order. `commands`: (topic, payload) to publish."""

    by_arrival = False

    def __init__(
        self, settings: SparkplugSettings, router: Router, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clock = settings, clock
        self._places = Places(router)
        self._values = Values(settings.status)
        self._nodes: dict[tuple[str, str], Node] = {}
        self._named: set[str] = set()
        self.commands: deque[tuple[str, bytes]] = deque()
        self._rows: tuple[list[int], list[int], list[float]] = ([], [], [])

    def read(self, messages: Sequence[Received], tally: Tally) -> Batch:
        """The readings of messages, and of those that were waiting."""
        self._rows = ([], [], [])
        for message in messages:
            self._message(message, tally)
        self.expire(tally)
        place, ts, value = self._rows
        series = tuple(self._places.series)
        return Batch(series, np.array(place, np.int32), np.array(ts, np.int64), np.array(value, np.float64))

    @property
    def is_waiting(self) -> bool:
        """Whether messages wait for a rebirth: then `read` is to be called now and then."""
        return any(node.held for node in self._nodes.values())

    def expire(self, tally: Tally) -> None:
        """Give up messages that have waited for too long."""
        now = self._clock()
        for node in self._nodes.values():
            expired = [held for held in node.held if held.until <= now]
            if expired:
                node.held = [held for held in node.held if held.until > now]
                why = f"{node.name} does not answer a rebirth request: let the bridge publish to NCMD"
                for held in expired:
                    self._reject(tally, MISSING_FIELD, held.message.topic, why, _count(held.payload))

    # -- messages ----------------------------------------------------------------------------------

    def _message(self, message: Received, tally: Tally) -> None:
        levels = message.topic.split("/")
        if len(levels) < 4 or levels[0] != NAMESPACE or levels[2] not in KINDS:
            return
        group, kind, name, device = levels[1], levels[2], levels[3], "/".join(levels[4:])
        try:
            payload = decode(message.payload)
        except UndecodableError as error:
            self._reject(tally, BAD_PROTOBUF, message.topic, str(error), 1)
            return
        node = self._nodes.setdefault((group, name), Node(group, name))
        if kind == "NDEATH":
            self._node_death(node, message, payload)
            return
        if kind == "NBIRTH":
            self._node_birth(node, message, payload, tally)
            return
        if payload.HasField("seq") and not node.follows(int(payload.seq)) and node.is_born:
            tally.gap(f"{group}/{name}: messages were lost, its sequence numbers have a gap")
            node.doubtful = True
        if not node.is_born or node.doubtful:
            self._ask(node)
        node.sees(message, payload)
        if kind == "DDEATH":
            if node.is_born:
                self._death(node, device, int(payload.timestamp) or node.now_ms(message.at_ms))
        elif not node.is_born:
            why = "before the birth certificate of its node, which has been asked for it"
            self._reject(tally, MISSING_FIELD, message.topic, why, _count(payload))
        elif kind == "DBIRTH":
            self._birth(node, device, message, payload, tally)
        elif node.doubtful and any(not metric.name for metric in payload.metrics):
            self._hold(node, message, payload, tally)
        else:
            self._data(node, device, message, payload, tally)

    def _node_birth(self, node: Node, message: Received, payload: Any, tally: Tally) -> None:
        node.former = node.aliases
        node.forget()
        node.is_born, node.doubtful, node.asked = True, False, None
        node.seq = int(payload.seq) if payload.HasField("seq") else None
        node.birth = next((_bd_seq(metric) for metric in payload.metrics if metric.name == BD_SEQ), None)
        node.sees(message, payload)
        self._birth(node, "", message, payload, tally)

    def _birth(self, node: Node, device: str, message: Received, payload: Any, tally: Tally) -> None:
        """The metrics of a node or a device, and what waited for them."""
        node.forget(device)
        for name, metric in flat(payload.metrics):
            if name in (BD_SEQ, REBIRTH) or name.startswith("Node Control/"):
                continue
            place = self._place(node, device, name)
            if place < 0:
                self._unknown(tally, self._spelt(self._settings.tag or TAG, node, device, name))
            known = Metric(device, name, int(metric.datatype), place)
            node.metrics[device, name] = known
            if metric.HasField("alias"):
                node.aliases[int(metric.alias)] = known
        waiting = [held for held in node.held if _device_of(held.message) == device]
        node.held = [held for held in node.held if _device_of(held.message) != device]
        for held in waiting:
            if node.agrees(held.payload):
                self._data(node, device, held.message, held.payload, tally)
            else:
                why = "aliases have another meaning since a message was lost"
                self._reject(tally, MISSING_FIELD, held.message.topic, why, _count(held.payload))
        self._data(node, device, message, payload, tally)

    def _node_death(self, node: Node, message: Received, payload: Any) -> None:
        """A node's last will, which the broker sends for it; of an earlier session it does not matter any more."""
        session = next((_bd_seq(metric) for metric in payload.metrics if metric.name == BD_SEQ), None)
        if not node.is_born or (None not in (session, node.birth) and session != node.birth):
            return
        self._death(node, None, node.now_ms(message.at_ms))
        node.is_born, node.seq = False, None

    def _death(self, node: Node, device: str | None, ts: int) -> None:
        """All sensors of a device, or of a node, have bad quality."""
        places = {
            metric.place for metric in node.metrics.values() if metric.place >= 0 and device in (None, metric.device)
        }
        for place in sorted(places):
            self._add(place, ts, float("nan"))

    def _data(self, node: Node, device: str, message: Received, payload: Any, tally: Tally) -> None:
        for name, metric in flat(payload.metrics):
            alias = int(metric.alias) if metric.HasField("alias") else None
            known = node.metric_of(device, name, alias)
            if known is None:
                if name in (BD_SEQ, REBIRTH) or name.startswith("Node Control/"):
                    continue
                self._ask(node)
                what = f"metric {name!r}" if name else f"alias {alias}"
                self._reject(tally, MISSING_FIELD, message.topic, f"{what} is in no birth certificate", 1)
                continue
            if known.place < 0:
                continue
            tally.records += 1
            ts = int(metric.timestamp) or int(payload.timestamp)
            if not 0 < ts <= MAX_INSTANT:
                self._refuse(tally, BAD_TIMESTAMP, message.topic, f"{known.name}: no timestamp, or none of a year")
                continue
            try:
                value = self._values.of(metric, int(metric.datatype) or known.datatype)
            except ValueError as error:
                self._refuse(tally, BAD_VALUE, message.topic, f"{known.name}: {error}")
                continue
            self._add(known.place, ts, value)

    def _hold(self, node: Node, message: Received, payload: Any, tally: Tally) -> None:
        if len(node.held) >= HELD:
            oldest = node.held.pop(0)
            why = "too many messages wait for a birth certificate"
            self._reject(tally, MISSING_FIELD, oldest.message.topic, why, _count(oldest.payload))
        node.held.append(Held(message, payload, self._clock() + HELD_S))

    # -- names -------------------------------------------------------------------------------------

    def _place(self, node: Node, device: str, metric: str) -> int:
        settings = self._settings
        if settings.asset is not None and settings.sensor is not None:
            asset, sensor = (
                self._spelt(pattern, node, device, metric) for pattern in (settings.asset, settings.sensor)
            )
            place = self._places.of(asset, sensor, None)
        else:
            place = self._places.of(None, None, self._spelt(settings.tag or TAG, node, device, metric))
        return -1 if place is None else place

    def _spelt(self, pattern: str, node: Node, device: str, metric: str) -> str:
        """A pattern with the names in it; a level that is empty, such as the device of a node's metric, is left out."""
        names = {"{group}": node.group, "{node}": node.name, "{device}": device, "{metric}": metric}
        levels = pattern.split("/")
        return "/".join(
            _PLACEHOLDER.sub(lambda found: names[found[0]], level) for level in levels if names.get(level, level)
        )

    # -- outcomes ----------------------------------------------------------------------------------

    def _add(self, place: int, ts: int, value: float) -> None:
        places, instants, values = self._rows
        places.append(place)
        instants.append(ts)
        values.append(value)

    def _ask(self, node: Node) -> None:
        """Ask a node for its birth certificates, unless that was done a moment ago."""
        now = self._clock()
        if node.asked is None or now - node.asked >= ASK_AGAIN_S:
            node.asked = now
            topic = f"{NAMESPACE}/{node.group}/NCMD/{node.name}"
            self.commands.append((topic, rebirth_command(time.time_ns() // 1_000_000)))

    def _refuse(self, tally: Tally, reason: str, topic: str, detail: str) -> None:
        """Reject one metric that counts as a record already."""
        tally.lost += 1
        if tally.reject(reason, 1) > 0:
            tally.example(reason, printable(topic, SHOWN), printable(detail, SHOWN))

    def _reject(self, tally: Tally, reason: str, topic: str, detail: str, count: int) -> None:
        tally.records += count
        tally.lost += count
        if count and tally.reject(reason, count) > 0:
            tally.example(reason, printable(topic, SHOWN), printable(detail, SHOWN))

    def _unknown(self, tally: Tally, name: str) -> None:
        if len(self._named) < UNKNOWN_NAMED and name not in self._named:
            self._named.add(name)
            tally.unknown_columns.append(name)


def _device_of(message: Received) -> str:
    return "/".join(message.topic.split("/")[4:])


def _count(payload: Any) -> int:
    return sum(1 for _ in flat(payload.metrics))


def _bd_seq(metric: Any) -> int:
    kind = metric.WhichOneof("value")
    return int(getattr(metric, kind)) if kind in ("int_value", "long_value") else -1
