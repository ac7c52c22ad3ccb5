"""From the outbox to Kafka: in order, refused records again, by a new producer if one can deliver nothing more."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from eugenie_cli.bridge import sender as sender_module
from eugenie_cli.bridge.outbox import Outbox
from eugenie_cli.bridge.records import Heads, records_of
from eugenie_cli.bridge.sender import Sender
from eugenie_cli.bridge.spool import Spool
from eugenie_cli.broker import produce
from eugenie_cli.broker.produce import Producer
from eugenie_cli.history.batch import Batch

MOST_BYTES = 1_000


@pytest.fixture
def producer(monkeypatch):
    """On librdkafka's own broker for tests."""
    settings = {"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "enable.idempotence": True}
    settings |= {"message.max.bytes": MOST_BYTES, "linger.ms": 0}
    monkeypatch.setattr(produce, "client_settings", lambda *_, **__: settings)
    return Producer(None)


class FakeMessage:
    def __init__(self, record):
        self.record = record

    def key(self):
        return self.record[0]

    def value(self):
        return self.record[1]


class Scripted:
    """A producer that fails as no broker does on request. `answers`: to each record, None delivers it, an error refuses
    it; `sent`: what came.
    """

    def __init__(self, *answers):
        self.answers, self.sent, self.open = list(answers), [], []

    def send_all(self, _topic, records, settled):
        self.sent += [value for _, value in records]
        self.open += [(record, settled) for record in records]
        return {}

    def poll(self, _wait_s):
        for record, settled in self.open:
            settled(self.answers.pop(0) if self.answers else None, FakeMessage(record))
        self.open = []


def sender_of(outbox, *producers, monkeypatch):
    monkeypatch.setattr(sender_module, "_AGAIN_S", 0.01)
    said, made = [], list(producers)
    return Sender(outbox, "readings", lambda: made.pop(0), said.append), said


def outbox_of(folder, count):
    outbox = Outbox(Spool(folder, 10**6), 2.0)
    outbox.put([(b"a", b"%d" % number) for number in range(count)])
    return outbox


def test_refused_records_are_sent_again(tmp_path, monkeypatch):
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not allowed")
    first = Scripted(None, refused, None, refused)
    outbox = outbox_of(tmp_path, 5)
    sender, said = sender_of(outbox, first, monkeypatch=monkeypatch)
    sender.start()
    sender.finish(5.0)
    assert first.sent == [b"0", b"1", b"2", b"3", b"4", b"1", b"3"]
    assert (outbox.readings, sender.delivered) == (0, 5)
    assert said == ["Kafka refused records: not allowed; they are sent again"]


def test_a_producer_that_can_deliver_nothing_more_is_replaced(tmp_path, monkeypatch):
    fatal = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "the broker lost its log", fatal=True)
    first, second = Scripted(None, fatal, fatal), Scripted()
    outbox = outbox_of(tmp_path, 3)
    sender, _ = sender_of(outbox, first, second, monkeypatch=monkeypatch)
    sender.start()
    sender.finish(5.0)
    assert (first.sent, second.sent) == ([b"0", b"1", b"2"], [b"1", b"2"])
    assert (outbox.readings, sender.delivered) == (0, 3)


def test_records_are_queued_at_once_and_those_that_are_too_large_are_told(producer, monkeypatch):
    monkeypatch.setattr(produce, "AT_ONCE", 3)
    monkeypatch.setattr(produce, "QUEUE", 4)
    records = [(b"a", b"%d" % number) for number in range(10)]
    records[4] = (b"a", b"x" * 2 * MOST_BYTES)
    settled = []
    refused = producer.send_all("readings", records, lambda error, message: settled.append((error, message.value())))
    assert {at: error.code() for at, error in refused.items()} == {4: KafkaError.MSG_SIZE_TOO_LARGE}
    producer.flush()
    assert settled == [(None, value) for at, (_, value) in enumerate(records) if at != 4]


def test_series_that_change_have_records_of_their_own():
    heads = Heads()
    one = Batch.of([("p1", "flow", 1, 1.5), ("p1", "flow", 2, float("nan"))])
    other = Batch.of([("p2", "flow", 1, -0.0)])
    assert [records_of(batch, heads) for batch in (one, other, one)] == [
        records_of(batch) for batch in (one, other, one)
    ]
    (first, second), (third,) = records_of(one, heads), records_of(other, heads)
    assert first[1] == b'{"asset":"p1","sensor":"flow","ts":"1970-01-01T00:00:00.001Z","value":1.5,"quality":"good"}'
    assert second[1].endswith(b'"value":null,"quality":"bad"}')
    assert (third[0], third[1][-29:]) == (b"p2", b'Z","value":-0.0,"quality":"good"}'[-29:])
