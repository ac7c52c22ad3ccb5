"""Sends what waits in an outbox to a topic, in its order, for as long as it takes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message

from eugenie_cli.bridge.outbox import Outbox, Outgoing
from eugenie_cli.bridge.records import Record
from eugenie_cli.broker.produce import Producer
from eugenie_cli.errors import EugenieError

IN_FLIGHT = 50_000  # records that Kafka has not confirmed: seconds of a large plant, tens of MB
FOREVER = 0
_POLL_S, _AGAIN_S = 0.05, 2.0


class _Sent:
    """A batch on its way. `refused`: records that were not delivered, `why` the last of them was not; `is_fatal`: the
    producer can deliver nothing more.
    """

    def __init__(self, batch: Outgoing) -> None:
        self.batch = batch
        self.open = len(batch.records)
        self.refused: list[Record] = []
        self.why = ""
        self.is_fatal = False

    def settled(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.open -= 1
        else:
            self.refuse((message.key() or b"", message.value() or b""), error)

    def refuse(self, record: Record, error: KafkaError) -> None:
        self.open -= 1
        self.refused.append(record)
        self.why = error.str()
        self.is_fatal |= error.fatal() or error.code() == KafkaError._FATAL


class Sender:
    """Runs until `finish`. `connect` makes a producer, and raises EugenieError while Kafka cannot be reached."""

    def __init__(self, outbox: Outbox, topic: str, connect: Callable[[], Producer], say: Callable[[str], None]) -> None:
        self._outbox, self._topic, self._connect, self._say = outbox, topic, connect, say
        self._producer: Producer | None = None
        self._sent: deque[_Sent] = deque()
        self._until: float | None = None
        self._wake = threading.Event()
        self.delivered = 0
        self._thread = threading.Thread(target=self._run, name="bridge sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, within_s: float) -> None:
        """Send what waits, for at most this long."""
        self._until = time.monotonic() + within_s
        self._wake.set()
        self._thread.join(within_s + 1.0)

    def _run(self) -> None:
        said = ""
        while not self._over():
            try:
                if self._producer is None:
                    self._producer = self._connect()
                self._turn(self._producer)
                said = ""
            except EugenieError as error:
                if said != error.reason:
                    said = error.reason
                    self._say(f"{error.reason}; readings wait until it works again")
                self._wake.wait(_AGAIN_S)

    def _over(self) -> bool:
        if self._until is None:
            return False
        return time.monotonic() >= self._until or (not self._sent and not self._outbox.readings)

    def _turn(self, producer: Producer) -> None:
        """Confirm what was delivered, and send more."""
        while self._sent and not self._sent[0].open and not self._sent[0].refused:
            done = self._sent.popleft()
            self.delivered += len(done.batch.records)
            self._outbox.delivered(done.batch)
        if any(sent.refused for sent in self._sent):
            self._again(producer)
            return
        if sum(sent.open for sent in self._sent) < IN_FLIGHT and (batch := self._outbox.take()) is not None:
            sent = _Sent(batch)
            self._sent.append(sent)
            self._send(producer, sent, batch.records)
        else:
            producer.poll(_POLL_S)

    def _again(self, producer: Producer) -> None:
        """Send refused records again, in their order: after all that are on their way have been settled."""
        if any(sent.open for sent in self._sent):
            producer.poll(_POLL_S)
            return
        why = next(sent.why for sent in self._sent if sent.refused)
        self._say(f"Kafka refused records: {why}; they are sent again")
        self._wake.wait(_AGAIN_S)
        if any(sent.is_fatal for sent in self._sent):
            producer = self._producer = self._connect()
        for sent in self._sent:
            refused, sent.refused = sent.refused, []
            sent.open, sent.is_fatal = len(refused), False
            self._send(producer, sent, refused)

    def _send(self, producer: Producer, sent: _Sent, records: Sequence[Record]) -> None:
        for at, error in producer.send_all(self._topic, records, sent.settled).items():
            sent.refuse(records[at], error)
        producer.poll(0)
