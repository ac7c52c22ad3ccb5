"""History from a topic on a real broker: each committed record once, whatever happens to the topic meanwhile."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from eugenie_cli.broker import topics
from eugenie_cli.broker.client import client_settings
from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import import_sources

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

START = 1_767_225_600_000


def site_of(engines, name, **source):
    site = engines.site(name, kafka={"partitions": 2}, sources=[{"name": "s", "type": "kafka", **source}])
    topics.ensure(site.kafka_access)
    return site


def reading(number: int) -> bytes:
    return json.dumps(
        {"asset": "p-1", "sensor": "pressure", "ts": iso(START + 1_000 * number), "value": number}
    ).encode()


def send(site, payloads, topic=None, *, commit=True):
    """In one transaction, over both partitions."""
    settings = client_settings(site.kafka_access, transactional_id=f"{site.site}-{commit}")
    producer = Client(settings)
    producer.init_transactions(20)
    producer.begin_transaction()
    for number, payload in enumerate(payloads):
        producer.produce(topic or site.topics.readings, payload, partition=number % 2)
    producer.flush(20)
    (producer.commit_transaction if commit else producer.abort_transaction)(20)


def held(site):
    read = open_history(site).read("p-1")
    return [(int(ts - START) // 1_000, value) for ts, value in zip(read.ts, read.value, strict=True)]


def numbers(*ranges):
    return [(number, float(number)) for each in ranges for number in each]


def test_each_committed_record_is_imported_once(engines):
    site = site_of(engines, "retained")
    send(site, map(reading, range(100)))
    send(site, map(reading, range(100, 150)), commit=False)
    (first,) = import_sources(site)
    assert (first.new, first.readings, first.failed) == (2, 100, [])
    send(site, [*map(reading, range(150, 200)), b"kaputt", reading(10**9)])
    (second,) = import_sources(site)
    assert (second.new, second.unchanged, second.readings) == (2, 2, 150)
    assert second.rejected == {"bad-json": 1, "future": 1}
    assert f"{site.topics.readings}, partition 0, offset " in second.examples["bad-json"][0]
    assert held(site) == numbers(range(100), range(150, 200))

    admin = AdminClient(client_settings(site.kafka_access))
    send(site, map(reading, range(200, 260)))
    gone = [TopicPartition(site.topics.readings, 0, -1)]
    for future in admin.delete_records(gone, operation_timeout=20).values():
        future.result(20)
    send(site, map(reading, range(260, 300)))
    (third,) = import_sources(site, again=True)
    assert len(third.gaps) == 1 and "partition 0" in third.gaps[0] and "removed by its retention" in third.gaps[0]
    assert held(site) == numbers(range(100), range(150, 200), range(201, 260, 2), range(260, 300))

    for future in admin.delete_topics([site.topics.readings], operation_timeout=20).values():
        future.result(20)
    topics.ensure(site.kafka_access)
    send(site, map(reading, range(300, 320)))
    (fourth,) = import_sources(site)
    assert not fourth.left and fourth.readings == 150 + 30 + 40 + 20
    assert held(site)[-20:] == numbers(range(300, 320))


def test_late_readings_are_imported_from_dead_letters(engines):
    site = site_of(engines, "letters", dead_letters=True)
    several = json.dumps([json.loads(reading(number)) for number in range(3)])
    letters = [
        dead_letter("late", "", several),
        dead_letter("late", "", reading(3)),
        dead_letter("bad-value", "", reading(4)),  # a mapping that was corrected since then
        dead_letter("bad-json", "", "kaputt"),
        dead_letter("unknown-tag", "PT-9", None),
    ]
    send(site, map(dumps, letters), site.topics.dead_letters)
    (report,) = import_sources(site)
    assert held(site) == numbers(range(5))
    assert report.rejected == {"bad-json": 1, "missing-field": 1}
