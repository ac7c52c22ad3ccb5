"""The live side of an `mqtt` source: one thread reads from the broker, another makes readings of many messages at once.

A message of QoS 1 is acknowledged when its readings are settled, so that the broker sends it again after a crash.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from typing import Any

import numpy as np

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.failures import TransientError
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.live import Sink
from eugenie_cli.sources.mqtt.connection import Broker
from eugenie_cli.sources.mqtt.plain import PlainMessages
from eugenie_cli.sources.mqtt.received import Received
from eugenie_cli.sources.mqtt.settings import MqttSettings
from eugenie_cli.sources.mqtt.sparkplug import NAMESPACE, SparkplugMessages, filters_of

GATHER_S = {"5": 0.02, "3.1.1": 0.002}
"""How long messages are gathered; short where a broker sends few of them ahead."""
AT_ONCE, BYTES_AT_ONCE = 5_000, 4 << 20  # messages, and their payloads: a second of a large plant
WAITING_BYTES = 64 << 20  # payloads in memory; then the broker is made to wait
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
SILENCE_S = 60.0
FINISH_S = 5.0  # for readings to settle at the end, so that their messages can be acknowledged


class Subscriber:
    """Passes the readings of published messages on."""

    waits = True

    def __init__(self, source: MqttSettings, site: Site) -> None:
        self._source = source
        self._sparkplug = None if source.sparkplug is None else SparkplugMessages(source.sparkplug, router_of(site))
        self._messages: SparkplugMessages | PlainMessages = self._sparkplug or PlainMessages(source, site)
        self._keeps = not self._messages.by_arrival
        self._filters = (
            [pattern.filter for pattern in source.patterns]
            if source.sparkplug is None
            else filters_of(source.sparkplug)
        )
        client_id = source.client_id or f"eugenie-{site.site}-{source.name}"
        self._broker = Broker(source, client_id, site.resolve, self._arrived, self._keeps)
        self._host = None if source.sparkplug is None or source.sparkplug.host is None else source.sparkplug.host
        self._lock = threading.Condition()
        self._queue: list[Received] = []
        self._bytes = 0
        self._settled: deque[list[Received]] = deque()
        self._unsettled = 0
        self._busy = False
        self._closing = False
        self._fault: BaseException | None = None
        self._heard = 0.0
        self._heard_ms = 0

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """As `sources.live.LiveSource.run` says."""
        worker = threading.Thread(target=self._work, args=(sink,), name="mqtt readings", daemon=True)
        worker.start()
        failures, said, has_connected = 0, "", False
        try:
            while not stop.is_set() and self._fault is None:
                try:
                    self._connect(sink, has_connected)
                    has_connected, failures, said = True, 0, ""
                    self._receive(sink, stop)
                except EugenieError as error:
                    if not has_connected and not isinstance(error, TransientError):
                        raise
                    failures += 1
                    if error.reason != said:
                        hint = f" ({error.hint})" if error.hint else ""
                        sink.say(f"{error.reason}{hint}; connecting again")
                        said = error.reason
                    stop.wait(pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S))
            self._finish(has_connected)
        finally:
            with self._lock:
                self._closing = True
                self._lock.notify_all()
            worker.join(FINISH_S)
            self._broker.close()
        if self._fault is not None:
            raise self._fault

    # -- the broker's side -------------------------------------------------------------------------

    def _connect(self, sink: Sink, again: bool) -> None:
        if self._host is not None:
            self._broker.set_will(f"{NAMESPACE}/STATE/{self._host}", _state(online=False))
        self._broker.connect(self._filters)
        if self._host is not None:
            self._broker.publish(f"{NAMESPACE}/STATE/{self._host}", _state(online=True), qos=1, retain=True)
        known = again or bool(sink.kept.get("session"))
        if known and not (self._keeps and self._broker.resumed):
            why = "the broker has forgotten the session" if self._keeps else "messages without a timestamp are not kept"
            since = self._heard_ms or int(sink.kept.get("heard_ms", 0))
            self._lacks(sink, f"{self._source.url}: {why}: what was published {_between(since)} is missed")
        sink.keep({"session": self._broker.client_id, "heard_ms": _now_ms()})
        sink.say(f"{self._source.url}: subscribed to {', '.join(self._filters[:3])}{' ...' * (len(self._filters) > 3)}")
        self._heard = time.monotonic()

    def _lacks(self, sink: Sink, what: str) -> None:
        tally = Tally()
        tally.gap(what)
        sink.say(what)
        sink.put(Batch.of(()), tally)

    def _receive(self, sink: Sink, stop: threading.Event) -> None:
        """Read until `stop`. Raises TransientError when the connection is lost."""
        told = False
        while not stop.is_set() and self._fault is None:
            self._broker.wait(0.25)
            self._acknowledge()
            while self._sparkplug is not None and self._sparkplug.commands:
                self._broker.publish(*self._sparkplug.commands.popleft())
            if not told and time.monotonic() - self._heard > SILENCE_S:
                told = True
                sink.say(
                    f"{self._source.url}: nothing has come for {SILENCE_S:.0f} s. Check the topics; a broker whose"
                    " access control list does not let the user read them sends nothing"
                )

    def _arrived(self, message: Any) -> None:
        """A message, in the thread of `run`. Waits while too many bytes wait."""
        if self._closing:
            return
        mid = message.mid if message.qos else 0
        self._heard = time.monotonic()
        at_ms = self._heard_ms = _now_ms()
        properties = getattr(message.properties, "UserProperty", None) or ()
        headers = {name: value.encode() for name, value in properties}
        received = Received(message.topic, message.payload, at_ms, headers, mid, self._broker.number)
        if message.retain:  # of any age, and sent to whoever subscribes
            self._settled.append([received])
            return
        with self._lock:
            while self._bytes > WAITING_BYTES and not self._closing and self._fault is None:
                self._lock.wait(0.25)
            self._queue.append(received)
            self._bytes += len(received.payload)
            if len(self._queue) == 1:
                self._lock.notify_all()

    def _acknowledge(self) -> None:
        while self._settled:
            of_connection = self._broker.number  # what came by an earlier one has been sent again
            settled = self._settled.popleft()
            self._broker.acknowledge(one.mid for one in settled if one.mid and one.connection == of_connection)

    def _finish(self, has_connected: bool) -> None:
        """Acknowledge what settles now, and take nothing more."""
        self._closing = True
        until = time.monotonic() + FINISH_S
        while has_connected and time.monotonic() < until and self._fault is None:
            with self._lock:
                done = not (self._queue or self._busy or self._unsettled)
                self._lock.notify_all()
            try:
                self._acknowledge()
                if done and not self._settled:
                    return
                self._broker.wait(0.05)
            except TransientError:
                return

    # -- readings ----------------------------------------------------------------------------------

    def _work(self, sink: Sink) -> None:
        try:
            while (messages := self._gathered(sink)) is not None:
                self._pass_on(messages, sink)
        except BaseException as error:  # noqa: BLE001 - passed to the thread that runs the source
            self._fault = error
            self._broker.wake()

    def _gathered(self, sink: Sink) -> list[Received] | None:
        """The messages that have come; None at the end."""
        with self._lock:
            self._busy = False
            while not self._queue:
                if self._closing:
                    return None
                self._lock.wait(0.25)
                if self._sparkplug is not None and self._sparkplug.is_waiting:
                    break
        if not self._closing:
            time.sleep(GATHER_S[self._source.version])
        while not sink.has_room:
            if self._closing:
                return None  # they are not acknowledged: the broker sends them again
            time.sleep(0.05)
        with self._lock:
            count, size = 0, 0
            for message in self._queue[:AT_ONCE]:
                count, size = count + 1, size + len(message.payload)
                if size > BYTES_AT_ONCE:
                    break
            messages, self._queue = self._queue[:count], self._queue[count:]
            self._bytes -= size
            self._busy = True
            self._unsettled += 1
            self._lock.notify_all()
        return messages

    def _pass_on(self, messages: list[Received], sink: Sink) -> None:
        tally = Tally()
        batch = self._messages.read(messages, tally)
        done = [message._replace(payload=b"") for message in messages if message.mid]

        def settled() -> None:
            with self._lock:
                self._unsettled -= 1
            self._settled.append(done)
            self._broker.wake()

        sink.put(batch, tally, settled)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _state(*, online: bool) -> bytes:
    """The state of a primary host application (Sparkplug 3.0, 6.4.26)."""
    return json.dumps({"online": online, "timestamp": _now_ms()}).encode()


def _between(since_ms: int) -> str:
    first, last = (f"{np.datetime64(ms, 'ms').astype('M8[s]')}Z" for ms in (since_ms, _now_ms()))
    return f"between {first} and {last}" if since_ms else f"before {last}"
