"""Anomalies through a real broker: topics, delivery, committed reads, the tail and the list."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from support import foreground
from typer.testing import CliRunner

from eugenie_cli.anomalies.last_rows import LastRows
from eugenie_cli.anomalies.tail import list_anomalies, tail
from eugenie_cli.broker import consume, positions, topic_settings, topics
from eugenie_cli.broker.client import client_settings
from eugenie_cli.broker.produce import Producer
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.engines.job_record import save as save_job
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.anomaly_keys import AnomalyKeys
from eugenie_cli.main import app
from eugenie_cli.operations import doctor
from eugenie_cli.operations.status import status
from eugenie_cli.operations.topic_findings import findings
from eugenie_cli.progress import Silent
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site

pytestmark = pytest.mark.integration

_NUMBERS = count()
# How long a test waits for something that takes milliseconds on an idle machine.
PATIENCE_S = 30.0


@pytest.fixture
def site(engines) -> Site:
    """A site with its own topics, two partitions each."""
    plant = engines.site(
        f"tail-{next(_NUMBERS)}",
        kafka={"partitions": 2},
        assets={name: {"class": "pump"} for name in ("p-1", "p-2", "p-3")},
    )
    topics.ensure(plant)
    return plant


def record(number: int, asset: str = "p-1", state: str = "open", **members) -> bytes:
    """An anomaly record as the stream writes it."""
    day = f"2026-01-08T10:{number:02}"
    sensor = {"sensor": "pressure", "contribution": 1.0, "value": 1.0, "forecast": 2.0, "unit": "bar"}
    return json.dumps(
        {
            "schema": "eugenie.anomaly.v1",
            "id": f"id-{number}",
            "site": "x",
            "asset": asset,
            "class": "pump",
            "state": state,
            "start": f"{day}:00.000Z",
            "detected": f"{day}:05.000Z",
            "end": None,
            "reason": None,
            "score": 2.0,
            "peak": 3.0,
            "severity": "medium",
            "sensors": [sensor],
            "model": {"name": "pump", "version": 1},
            **members,
        }
    ).encode()


def send(site: Site, *values: bytes) -> None:
    with Producer(site) as producer:
        for value in values:
            producer.send(str(site.topics.anomalies), json.loads(value)["asset"], value)


def transactional(site: Site) -> confluent_kafka.Producer:
    producer = confluent_kafka.Producer(client_settings(site, transactional_id=f"test-{site.site}"))
    producer.init_transactions(PATIENCE_S)
    return producer


def values(records: Iterator[consume.Record]) -> list[bytes | None]:
    return [record.value for record in records]


class Said(Silent):
    """A Progress that remembers its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


class Following(threading.Thread):
    """A tail in a separate thread, as a person leaves it open."""

    def __init__(self, site: Site, **options) -> None:
        super().__init__(daemon=True)
        self.seen: list[str] = []
        self._stop_it = threading.Event()
        self._arrivals = tail(site, stop=self._stop_it.is_set, **options)
        self.start()

    def run(self) -> None:
        for arrival in self._arrivals:
            self.seen.append(f"{arrival.anomaly.id} {arrival.anomaly.state}")

    def wait_for(self, line: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while line not in self.seen:
            assert time.monotonic() < deadline, f"{line!r} never came; seen: {self.seen}"
            time.sleep(0.05)

    def end(self) -> list[str]:
        self._stop_it.set()
        self.join(PATIENCE_S)
        assert not self.is_alive()
        return self.seen


def test_ensuring_topics_twice_creates_them_once(engines):
    site = engines.site("ensured", kafka={"partitions": 3})
    assert topics.ensure(site) == (
        "ensured.readings",
        "ensured.anomalies",
        "ensured.scores",
        "ensured.dead-letters",
    )
    assert topics.ensure(site) == ()
    assert topics.partitions(site, "ensured.anomalies") == 3


def settings_of(site: Site, topic: str) -> dict[str, str]:
    admin, deadline = AdminClient(client_settings(site)), time.monotonic() + PATIENCE_S
    while True:
        (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        try:
            return {name: entry.value for name, entry in future.result(PATIENCE_S).items()}
        except confluent_kafka.KafkaException:  # a new topic is not yet known to all brokers
            assert time.monotonic() < deadline
            time.sleep(0.1)


def set_to(site: Site, kind: ResourceType, name: str, **values: str) -> None:
    entries = [
        ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for key, value in values.items()
    ]
    admin = AdminClient(client_settings(site))
    for future in admin.incremental_alter_configs([ConfigResource(kind, name, incremental_configs=entries)]).values():
        future.result(PATIENCE_S)


def as_an_earlier_release(site: Site) -> None:
    """The anomalies topic as in earlier releases, with the asset as a record's key."""
    name = str(site.topics.anomalies)
    admin = AdminClient(client_settings(site))
    topic = NewTopic(name, 1, 1, config={"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"})
    admin.create_topics([topic])[name].result(PATIENCE_S)
    send(site, record(1), record(1, state="closed"), record(2), record(2, state="update"))


def test_anomalies_are_compacted_and_kept_for_ever_and_events_are_not(site):
    settings = {name: settings_of(site, name) for name in topics.names(site)}
    shown = {name: (config["cleanup.policy"], config["retention.ms"]) for name, config in settings.items()}
    anomalies = str(site.topics.anomalies)
    assert shown.pop(anomalies) == ("compact", "-1")
    assert set(shown.values()) == {("delete", "604800000")}
    assert settings[anomalies]["message.timestamp.type"] == "LogAppendTime"


def test_compaction_leaves_every_anomaly_its_last_record(engines, site):
    """Compaction by the broker's cleaner, forced to run at once; keys as the stream job writes them."""
    name, keys = str(site.topics.anomalies), AnomalyKeys(2)
    set_to(engines.owner, ResourceType.BROKER, "1", log_cleaner_backoff_ms="100")
    set_to(
        site, ResourceType.TOPIC, name,
        segment_ms="50", min_compaction_lag_ms="0", min_cleanable_dirty_ratio="0.01",
    )  # fmt: skip
    lives = [(number, f"p-{number % 3 + 1}", "closed" if number % 2 else "update") for number in range(12)]
    expected = {f"id-{number}": state for number, _, state in lives}
    sent, deadline = 0, time.monotonic() + PATIENCE_S
    while True:
        with Producer(site) as producer:
            for number, asset, state in lives:
                for value in (record(number, asset, state_name) for state_name in ("open", "update", state)):
                    producer.send(name, keys.of(asset, value.decode()), value)
        sent += producer.delivered
        time.sleep(0.2)  # the next record starts a segment: only earlier ones are compacted
        if len(list(consume.read(site, name, until_end=True))) < sent:
            break
        assert time.monotonic() < deadline, f"nothing was compacted: {sent} records"
    listed = {seen.anomaly.id: seen.anomaly.state for seen, _ in list_anomalies(site)}
    assert listed == expected


def test_a_topic_of_an_earlier_release_is_kept_for_ever_and_not_compacted(engines):
    """Its keys are assets: compaction would leave one record per asset."""
    site = engines.owner
    progress = Said()
    as_an_earlier_release(site)
    assert topics.forgotten(site) == "retention.ms=604800000"
    topics.ensure(site, progress)
    topics.ensure(site, progress)
    settings = settings_of(site, str(site.topics.anomalies))
    assert (settings["cleanup.policy"], settings["retention.ms"], settings["retention.bytes"]) == ("delete", "-1", "-1")
    assert sum("now keeps anomalies indefinitely" in line for line in progress.lines) == 1
    assert topics.forgotten(site) == ""
    send(site, record(3))  # as the job continues: here under the earlier key, below under its own
    with Producer(site) as producer:
        value = record(2, state="closed")
        producer.send(str(site.topics.anomalies), AnomalyKeys(1).of("p-1", value.decode()), value)
    shown = {seen.anomaly.id: seen.anomaly.state for seen, _ in list_anomalies(site)}
    assert shown == {"id-1": "closed", "id-2": "closed", "id-3": "open"}


def test_an_external_topic_that_forgets_is_said_with_the_command_and_left_alone(engines):
    site, progress = engines.site("plants-own"), Said()
    as_an_earlier_release(site)
    topics.ensure(site, progress)
    topic = str(site.topics.anomalies)
    assert settings_of(site, topic)["retention.ms"] == "604800000"
    (line,) = [line for line in progress.lines if "deletes anomalies" in line]
    assert f"kafka-configs.sh --bootstrap-server {site.kafka.bootstrap}" in line
    assert f"--entity-name {topic} --add-config retention.ms=-1,retention.bytes=-1" in line
    (check,) = [check for check in doctor.check(site) if check.name == "anomalies topic"]
    assert not check.ok and check.hint in line


def test_settings_of_the_plants_own_topics_are_judged_and_left_alone(engines):
    site, progress = engines.site("unfit", stream={"parallelism": 2}), Said()
    assert [check.found for check in findings(site) if check.name == "readings topic"] == [
        "unfit.readings does not exist yet: `eugenie stream submit` creates it"
    ]
    topics.ensure(site)
    topic_settings.review(site, progress)
    assert progress.lines == [] and [check.name for check in findings(site) if not check.ok] == ["readings topic"]
    topic_settings.change(site, "unfit.scores", {"retention.ms": "3600000", "max.message.bytes": "1000"})
    topic_settings.review(site, progress)
    (line,) = progress.lines
    assert "--entity-name unfit.scores --add-config retention.ms=604800000,max.message.bytes=1048588" in line
    assert settings_of(site, "unfit.scores")["retention.ms"] == "3600000"
    topic_settings.change(site, "unfit.dead-letters", {"cleanup.policy": "compact"})
    with pytest.raises(EugenieError, match="refuses records without a key"):
        topic_settings.review(site)
    shown = {check.name: (check.ok, check.hint) for check in findings(site)}
    assert shown["scores topic"] == (True, line.split("next: ")[1]) and not shown["dead letters topic"][0]
    assert shown["readings topic"][1].endswith("--alter --topic unfit.readings --partitions 2")


def test_topics_that_were_made_a_moment_ago_can_be_asked_for(engines):
    """For tens of milliseconds, brokers answer that a new partition has no leader or is not theirs."""
    for number in range(8):
        site = engines.site(f"new{number}", kafka={"partitions": 4})
        assert len(topics.ensure(site)) == 4
        assert positions.look(site, str(site.topics.readings)).end == dict.fromkeys(range(4), 0)


def test_a_topic_that_is_missing_is_named(engines):
    site = engines.site("nothing-here")
    with pytest.raises(EugenieError, match=r"nothing-here\.anomalies"):
        list_anomalies(site)


def test_every_record_sent_is_delivered_and_read_back_in_order(site):
    topic = str(site.topics.readings)
    with Producer(site) as producer:
        for number in range(5_000):
            producer.send(topic, f"asset-{number % 7}", b"%d" % number)
    assert (producer.sent, producer.delivered, producer.failed) == (5_000, 5_000, 0)
    read = list(consume.read(site, topic, until_end=True))
    assert sorted(int(record.value or b"") for record in read) == list(range(5_000))
    for partition in (0, 1):
        offsets = [record.offset for record in read if record.partition == partition]
        assert offsets == sorted(offsets) and offsets


def test_a_record_that_no_broker_takes_is_an_error(site):
    """Of the flush or, if the client knows by then that there is no such topic, of sending it."""
    producer = Producer(site)
    producer.send(str(site.topics.readings), "a", b"x" * 999_000)
    producer.flush()
    with pytest.raises(EugenieError, match=r"1 of 2 records were not delivered|has no such topic"):
        producer.send("not a topic name!", "a", b"x")
        producer.flush()
    producer.flush()  # reported once


def test_replays_of_old_readings_are_stamped_on_arrival(site):
    before = int(time.time() * 1000)
    with Producer(site) as producer:
        producer.send(str(site.topics.readings), "a", b"old", timestamp_ms=1_583_748_873_000)
    (read,) = consume.read(site, str(site.topics.readings), until_end=True)
    assert read.timestamp_ms >= before


def test_aborted_and_open_transactions_are_not_seen_and_the_end_is_found_all_the_same(site):
    topic = str(site.topics.anomalies)
    producer = transactional(site)
    producer.begin_transaction()
    producer.produce(topic, record(1), "p-1", partition=0)
    producer.commit_transaction(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(topic, record(2), "p-1", partition=0)
    producer.produce(topic, record(2), "p-1", partition=1)
    producer.flush(PATIENCE_S)
    producer.abort_transaction(PATIENCE_S)
    assert values(consume.read(site, topic, until_end=True)) == [record(1)]

    producer.begin_transaction()
    producer.produce(topic, record(3), "p-1", partition=0)
    producer.flush(PATIENCE_S)
    assert values(consume.read(site, topic, until_end=True)) == [record(1)]
    producer.commit_transaction(PATIENCE_S)
    assert values(consume.read(site, topic, until_end=True)) == [record(1), record(3)]


def test_a_read_since_an_instant_begins_there(site):
    send(site, record(1))
    time.sleep(0.05)
    middle = int(time.time() * 1000)
    send(site, record(2))
    topic = str(site.topics.anomalies)
    assert values(consume.read(site, topic, since_ms=middle, until_end=True)) == [record(2)]
    assert values(consume.read(site, topic, since_ms=middle + 3_600_000, until_end=True)) == []


def test_a_read_ends_after_a_silence(site):
    send(site, record(1))
    assert values(consume.read(site, str(site.topics.anomalies), idle_s=1.0)) == [record(1)]


def test_a_tail_begins_with_what_is_open_and_goes_on_with_what_comes(site):
    send(
        site,
        record(1),
        record(1, state="update"),
        record(2, "p-2"),
        record(2, "p-2", "closed"),
        record(3, "p-3"),
    )
    following = Following(site)
    following.wait_for("id-1 update")
    following.wait_for("id-3 open")
    send(site, record(1, state="closed"))
    following.wait_for("id-1 closed")
    seen = following.end()
    assert sorted(seen[:2]) == ["id-1 update", "id-3 open"]
    assert seen[2:] == ["id-1 closed"]


def test_a_tail_does_not_show_an_aborted_transaction(site):
    topic = str(site.topics.anomalies)
    following = Following(site, since=0)
    producer = transactional(site)
    producer.begin_transaction()
    producer.produce(topic, record(1), "p-1")
    producer.flush(PATIENCE_S)
    producer.abort_transaction(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(topic, record(2), "p-1")
    producer.commit_transaction(PATIENCE_S)
    following.wait_for("id-2 open")
    assert following.end() == ["id-2 open"]


def test_a_tail_of_one_asset_shows_that_one(site):
    following = Following(site, assets=["p-2"], since=0)
    send(site, record(1), record(2, "p-2"))
    following.wait_for("id-2 open")
    assert following.end() == ["id-2 open"]


def test_the_list_has_each_anomaly_once_as_it_is_now(site):
    send(
        site,
        record(2, "p-2"),
        record(1),
        record(2, "p-2", "update"),
        record(1, state="closed"),
        b'{"asset": "p-1"}',
    )
    listed = list_anomalies(site)
    assert [(seen.anomaly.id, seen.anomaly.state) for seen, _ in listed] == [
        ("id-1", "closed"),
        ("id-2", "update"),
    ]
    assert listed[1][1] == json.loads(record(2, "p-2", "update"))


def site_file(site: Site, folder: Path) -> Path:
    """The site's file, with Flink on the session's cluster."""
    file = folder / "site.yaml"
    file.write_text(
        f"site: {site.site}\nkafka: {site.kafka.bootstrap}\nstream: {{flink: '{site.stream.flink}'}}\n"
        "classes: {pump: {sensors: [{name: pressure}], step: 1h, max_gap: 1h}}\nassets: {p-1: {class: pump}}\n"
    )
    return file


class Command:
    """`eugenie anomalies tail` as a shell starts it; `terminal`: on a pseudo-terminal instead of a pipe."""

    def __init__(self, site: Site, folder: Path, *, terminal: bool) -> None:
        file = site_file(site, folder)
        self._said = folder / "stderr"
        self._reader, writer = pty.openpty() if terminal else os.pipe()
        self.process = foreground.start(
            [
                sys.executable,
                "-c",
                "from eugenie_cli.main import main; main()",
                "anomalies",
                "tail",
                "--site",
                file,
            ],
            stdout=writer,
            stderr=self._said.open("wb"),
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        )
        os.close(writer)
        self._out = b""

    def wait_for(self, text: bytes) -> bytes:
        """All output, once it contains `text`."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self._out:
            assert time.monotonic() < deadline, self._out
            ready, _, _ = select.select([self._reader], [], [], 0.2)
            self._out += os.read(self._reader, 65_536) if ready else b""
        return self._out

    def wait_until_said(self, text: str, after: str = "") -> str:
        """All output on stderr, once it contains `text` after the last `after`."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in (output := self._said.read_text()).rpartition(after or "\0")[2]:
            assert time.monotonic() < deadline, output
            time.sleep(0.2)
        return output

    def interrupt(self) -> int:
        """Send Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()  # no effect if it has ended
            os.close(self._reader)


def test_piped_the_tail_writes_the_records_byte_for_byte_until_ctrl_c(site, tmp_path):
    send(site, record(1))
    command = Command(site, tmp_path, terminal=False)
    command.wait_for(b"\n")
    send(site, record(1, state="closed"))
    assert command.wait_for(b'"closed"').splitlines() == [record(1), record(1, state="closed")]
    assert command.interrupt() == ExitCode.OK


def test_on_a_terminal_the_tail_is_a_table_until_ctrl_c(site, tmp_path):
    send(site, record(1))
    command = Command(site, tmp_path, terminal=True)
    command.wait_for(b"1 open")
    shown = command.wait_for(b"pressure")
    assert b"p-1" in shown and b"eugenie.anomaly.v1" not in shown
    assert command.interrupt() == ExitCode.OK


def score(site: Site, **members) -> None:
    """A score record as the stream writes it."""
    record = {"schema": "eugenie.score.v1", "asset": "p-1", "ts": "2026-01-08T10:00:00.000Z", "score": 0.4, **members}
    with Producer(site) as producer:
        producer.send(str(site.topics.scores), record["asset"], json.dumps(record))


def test_the_last_rows_are_found_at_the_end_of_the_topic_and_followed(site):
    rows = LastRows(site)
    assert rows.look() and rows.scored == {} and rows.arrived is None, "the topic is new and empty"
    for number in range(30):
        score(site, asset=f"p-{number % 3 + 1}", ts=f"2026-01-08T10:00:{number:02}.000Z")
    score(site, asset="p-1", ts="2026-01-08T10:01:00.000Z", score=None)
    with Producer(site) as producer:  # from another writer
        for value in (b"{", b"[]", b"3", b'{"asset": "p-1"}', None):
            producer.send(str(site.topics.scores), "x", value)
    assert rows.look()
    assert {name: row.ts_ms % 60_000 // 1_000 for name, row in rows.scored.items()} == {"p-1": 27, "p-2": 28, "p-3": 29}
    assert rows.arrived is not None and abs(rows.arrived - time.time() * 1000) < 1_000 * PATIENCE_S
    score(site, asset="p-1", ts="2026-01-08T10:00:42.000Z")
    assert rows.look() and rows.scored["p-1"].ts_ms % 60_000 == 42_000
    rows.close()


def test_a_tail_loses_its_broker_and_finds_it_again_and_says_both_on_stderr(engines, site, tmp_path):
    """A broker that hangs: it accepts connections, and its data is intact."""
    send(site, record(1))
    score(site)
    command = Command(site, tmp_path, terminal=False)
    command.wait_for(b"\n")
    output = command.wait_until_said("last row scored")
    assert "stream job not RUNNING: STOPPED; next: eugenie stream submit" in output and "no contact" not in output
    (pid,) = [engine.pid for engine in status(engines.owner) if engine.name == "kafka"]
    os.kill(pid, signal.SIGSTOP)
    try:
        command.wait_until_said("no contact with Kafka since ")
        listed = CliRunner().invoke(app, ["anomalies", "list", "--site", str(tmp_path / "site.yaml")])
        assert isinstance(listed.exception, EugenieError)
        assert listed.exception.exit_code == ExitCode.UNREACHABLE
        (broker,) = [engine for engine in status(engines.owner) if engine.name == "kafka"]
        assert (broker.state, broker.ok) == ("not answering", False) and "eugenie down" in broker.hint
    finally:
        os.kill(pid, signal.SIGCONT)
    command.wait_until_said("last row scored", after="no contact with Kafka since ")
    send(site, record(1, state="closed"))
    assert command.wait_for(b'"closed"').splitlines() == [record(1), record(1, state="closed")], (
        "stdout may contain records only"
    )
    assert command.interrupt() == ExitCode.OK


def test_a_list_is_complete_and_reports_a_dead_stream_on_stderr_and_by_its_exit_code(site, tmp_path):
    send(site, record(1))
    words = ["anomalies", "list", "--site", str(site_file(site, tmp_path)), "-o", "json"]
    never = CliRunner().invoke(app, words)
    assert never.exit_code == ExitCode.OK, "no job was submitted, so none is expected"
    assert json.loads(never.stdout) == [json.loads(record(1))]
    assert "no scored row" in never.stderr and "stream job not RUNNING: STOPPED" in never.stderr
    save_job(workspace_of(load_site(tmp_path / "site.yaml")), JobRecord("0" * 32, site.stream.flink))
    lost = CliRunner().invoke(app, words)
    assert (lost.exit_code, lost.stdout) == (ExitCode.UNREACHABLE, never.stdout)
    assert "next: eugenie stream submit" in lost.stderr


def test_brokers_that_answer_are_reachable(engines, site):
    answers = {engine.name: (engine.state, engine.why) for engine in status(site)}
    assert (answers["kafka"], answers["flink"]) == (("reachable", ""), ("reachable", ""))


def test_brokers_that_are_not_there_are_unreachable(site_factory):
    site = site_factory("nowhere", kafka={"bootstrap": "127.0.0.1:9"})
    with pytest.raises(EugenieError) as caught:
        topics.ensure(site)
    assert caught.value.exit_code == ExitCode.UNREACHABLE
