"""An operator's view of a stream job: monitor, upgrade, rescale, kill, resume, replay, drain.

One plant's history goes through one stream in three parts; in between, the job is upgraded, its JobManager killed, and
the job cancelled. At the end Kafka contains what a bounded replay of the same history writes: every record once.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import confluent_kafka
import numpy as np
import pytest
import requests
import yaml
from confluent_kafka import Producer as PlainProducer
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from support.chaos import ProgressLog
from support.small_models import SENSORS, WINDOW, release, sixteenths, write_version
from typer.testing import CliRunner

from eugenie_cli.broker import consume, positions, produce, topic_settings
from eugenie_cli.broker.client import client_settings
from eugenie_cli.broker.produce import Producer
from eugenie_cli.engines import flink, job_record
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.engines.process import identify
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.anomaly_keys import partition_of
from eugenie_cli.flink_job.sensor_index import shard_of
from eugenie_cli.flink_job.spec import consumer_group
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.main import app
from eugenie_cli.operations.status import status as engine_statuses
from eugenie_cli.operations.up import up
from eugenie_cli.serving import local
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import crash_loop, flink_libraries, hung_transactions, resume_point
from eugenie_cli.streaming.job import job_of
from eugenie_cli.streaming.logs import logs
from eugenie_cli.streaming.metrics import FRESH_S
from eugenie_cli.streaming.offline_replay import score
from eugenie_cli.streaming.replay import choose, replay
from eugenie_cli.streaming.reset import reset
from eugenie_cli.streaming.start_position import Start
from eugenie_cli.streaming.status import StreamStatus, status
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit
from eugenie_cli.training import tracking
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registry import Registry

submitting = importlib.import_module("eugenie_cli.streaming.submit")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

NAMES = ("a", "b", "c")
ASSETS = ("pump-101", "pump-104", "pump-105")
"""Kafka puts the first into one of two partitions and the others into the other. The third is added by an upgrade."""
BEGIN = 1_772_323_200_000
"""2026-03-01T00:00:00Z."""
SECONDS = 300
PARTS = tuple(BEGIN + 1_000 * SECONDS * part // 3 for part in (1, 2))
"""Where the history is divided."""
WITHIN_S = 60.0
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
"""All compressions that Kafka supports."""
FROM_THE_RECORD = {
    "asset": {"header": "machine"},
    "sensor": {"record": "key"},
    "ts": {"record": "timestamp"},
    "value": {"record": "value"},
    "quality": {"header": "quality"},
}


@dataclass(frozen=True)
class Plant:
    """The site with its file, so that commands can be run, and a Flink that the site treats as external."""

    file: Path
    flink: str
    owner: Site

    @property
    def site(self) -> Site:
        return load_site(self.file)

    def change(self, **sections: Any) -> Site:
        """Rewrite the site file with other sections; returns the new site."""
        document = yaml.safe_load(self.file.read_text())
        for name, section in sections.items():
            document[name] = {**document[name], **section}
        self.file.write_text(yaml.safe_dump(document))
        return self.site

    def replay(self, start: int | None, end: int | None) -> int:
        """Send a part of history; returns the number of messages."""
        span = [None if at is None else iso(at) for at in (start, end)]
        return replay(self.site, choose(self.site, start=span[0], end=span[1])).messages

    def submitted(self) -> str:
        last = job_record.load(workspace_of(self.site))
        assert last is not None
        return last.job_id


@pytest.fixture(scope="module")
def plant(engines, tmp_path_factory) -> Iterator[Plant]:
    base = tmp_path_factory.mktemp("operated")
    file = base / "site-configs" / "operated.yaml"
    file.parent.mkdir()
    document = {
        "site": "operated",
        "classes": {
            "pump": {
                "sensors": [{"name": name, "low": -10, "high": 100} for name in NAMES],
                "model": {"type": "last-value", "window": WINDOW, "horizons": [1]},
                "alarm": {"on_delay": 3, "off_delay": 3},
            }
        },
        "assets": {asset: {"class": "pump"} for asset in ASSETS[:2]},
        "kafka": {"bootstrap": engines.kafka, "partitions": 2},
        "stream": {"flink": engines.flink, "checkpoint": "500ms", "idle_timeout": "2s"},
    }
    file.write_text(yaml.safe_dump(document))
    plant = Plant(file, engines.flink, engines.owner)
    open_history(plant.site).commit("made", [history()])
    with tracking.training_run(
        open_class(plant.site, "pump")
    ) as run:  # a replay looks up the run of a version in the registry
        pass
    Registry(plant.site).register("pump", run.id, run.detector)
    write_version(workspace_of(plant.site).models, "pump", 1, ASSETS, sixteenths, run.id)
    release(workspace_of(plant.site).models, "pump", 1)
    local.start(plant.site)
    try:
        yield plant
    finally:
        local.stop(plant.site)


def history() -> Batch:
    """Five minutes of two pumps: one reading per second of each sensor, two bursts, some bad quality."""
    rng = np.random.default_rng(5)
    values = rng.integers(0, 4, (2, SECONDS, SENSORS)) / 4
    values[0, 60:90] += 2.0
    values[1, 200:240] += 4.0
    values[1, 150:160, 0] = np.nan
    jitter = rng.integers(-400, 400, values.shape)
    return Batch.of(
        (ASSETS[asset], NAMES[sensor], BEGIN + 1_000 * second + int(jitter[asset, second, sensor]), float(value))
        for (asset, second, sensor), value in np.ndenumerate(values)
    )


def until(condition: Callable[[StreamStatus], object], site: Site) -> StreamStatus:
    """The status once it meets the condition. REST's figures are a second old."""
    deadline = time.monotonic() + WITHIN_S
    while not condition(current := status(site)):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {WITHIN_S:.0f} s: {current}")
        time.sleep(0.5)
    return current


def records(site: Site, topic: str | None, begin: Mapping[int, int] | None = None) -> list[bytes]:
    """The values of a topic's records from `begin`, an offset for each partition, because reads mix partitions."""
    stream = consume.stream(site, str(topic), begin=begin, until_end=True)
    return [record.value for record in stream if record and record.value]


def ends(site: Site, topic: str | None) -> dict[int, int]:
    """partition -> the offset after its last record."""
    return positions.look(site, str(topic)).end


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["stream", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_job_through_its_whole_life_writes_every_record_once(plant, tmp_path):
    submitted = submit(plant.site)
    assert submitted.started and (submitted.resumed_from, submitted.origin) == (None, "group offsets")
    sent = replay_in_every_codec(plant, BEGIN - 1_000, PARTS[0])
    assert replay_lines(plant, tmp_path / "damaged.jsonl", b'{"asset":', b"[1, 2]", b'{"asset": "pump-101"}') == 3
    check_status(plant)
    check_metrics(plant)
    check_logs(plant)

    check_what_runs_is_left_alone(plant)
    check_what_cannot_be_kept_is_refused_while_the_job_runs_on(plant)
    check_a_replay_that_would_be_late_is_refused(plant)
    before = plant.submitted()
    upgraded = check_an_upgrade_goes_on_from_a_savepoint(plant)
    assert upgraded != before

    sent += plant.replay(*PARTS)
    kill_the_jobmanager(plant)
    resumed = submit(plant.site, parallelism=2)
    assert resumed.origin == "checkpoint" and f"/{upgraded}/chk-" in str(resumed.resumed_from)

    arrival = iso(int(time.time() * 1000))
    last = plant.replay(PARTS[1], None)
    sent += last
    until(lambda now: now.lag == 0 and now.checkpoints > 0, plant.site)
    cancelled = stop(plant.site, savepoint=False)
    resumed = submit(plant.site, parallelism=1)
    assert resumed.origin == "checkpoint" and f"/{cancelled.job_id}/chk-" in str(resumed.resumed_from)
    stop(plant.site, drain=True)

    scores = sorted(records(plant.site, plant.site.topics.scores))
    assert scores == bounded_scores(plant.site, tmp_path)
    assert scores == bounded_scores_of_what_was_sent(plant.site, tmp_path)
    check_anomalies_of_a_part(plant)
    assert (
        sum(record["readings"] + record["bad_quality"] for record in map(json.loads, scores))
        == sent
        == SECONDS * 2 * SENSORS
    )
    check_the_next_job_can_begin_at_an_instant(plant, arrival, last)
    check_a_drain_of_a_live_topic_ends_and_doubles_nothing(plant)
    check_a_job_of_another_workspace_is_refused_and_named(plant)
    check_a_job_that_fails_again_and_again_cannot_be_drained(plant)
    check_an_asset_that_leaves_with_its_anomaly_open(plant)
    check_what_the_topic_has_no_more_is_counted_and_another_topic_refused(plant)


def replay_in_every_codec(plant: Plant, start: int, end: int) -> int:
    """Send batches in every compression that gateways use; returns the number of messages."""
    edges = np.linspace(start, end, len(CODECS) + 1).astype(int).tolist()
    sent = 0
    for codec, begin, until in zip(CODECS, edges, edges[1:], strict=False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(produce, "CODEC", codec)
            sent += plant.replay(begin, until)
    return sent


def replay_lines(plant: Plant, file: Path, *lines: bytes) -> int:
    """Send payloads unchanged; returns their number."""
    file.write_bytes(b"\n".join(lines))
    return replay(plant.site, replace(choose(plant.site), file=file)).messages


def check_status(plant: Plant) -> None:
    now = until(
        lambda now: (
            now.lag == 0
            and now.checkpoints
            and now.predict_calls
            and now.readings_per_s
            and now.scores_per_s
            and now.dead_letters  # counted at the end of a bundle of records, a second after they are read
        ),
        plant.site,
    )
    assert now.state == "RUNNING" and now.job_id == plant.submitted()
    assert flink_libraries.missing(FlinkRest(plant.flink)) is None
    assert now.restarts == 0 and now.failure is None and now.notes == () and now.problems == ()
    assert 0 < now.predict_calls <= now.predict_windows and now.predict_mean_ms is not None
    assert now.watermark is not None and now.watermark.startswith("2026-03-01T00:01:")
    assert now.watermark_delay_s is not None and now.watermark_delay_s > 0
    assert now.last_checkpoint_bytes and now.last_checkpoint_s is not None and now.last_checkpoint_age_s is not None
    assert now.dead_letters == {"bad-json": 2, "missing-field": 1}
    assert now.model_server is not None and now.model_server.reachable and now.model_server.models == {"pump": 1}
    assert (
        all(operator.busy is None or 0 <= operator.busy <= 1 for operator in now.operators) and len(now.operators) == 2
    )
    assert [operator.name for operator in now.operators] == ["read, decode", "detect, write"]
    assert now.failed_checkpoints == 0 == now.hidden
    # Flink answers with the figures of the previous request: one of our answers must be fresh
    time.sleep(FRESH_S + 1)
    fresh = status(plant.site)
    assert fresh.figures_age_s is not None and fresh.figures_age_s <= FRESH_S
    shown = run("status", "--site", str(plant.file))
    for words in (
        "RUNNING",
        "0 records not read yet",
        "records/s in",
        "behind the clock",
        "busy",
        "2 bad-json",
        "reachable; pump 1",
    ):
        assert words in shown
    assert json.loads(run("status", "--site", str(plant.file), "-o", "json"))["model_server"]["models"] == {"pump": 1}


def check_metrics(plant: Plant) -> None:
    """Every metric that docs/operations.md names is on the page for Prometheus."""
    names = {
        "flink_jobmanager_job_numRestarts",
        "flink_jobmanager_job_lastCheckpointDuration",
        "flink_jobmanager_job_numberOfFailedCheckpoints",
        "flink_taskmanager_job_task_operator_pendingRecords",
        "flink_taskmanager_job_task_operator_predictCalls",
        "flink_taskmanager_job_task_operator_predictWindows",
        "flink_taskmanager_job_task_operator_predictMillis",
        "flink_taskmanager_job_task_operator_deadLetters_missing_field",
        "flink_taskmanager_job_task_busyTimeMsPerSecond",
        "flink_taskmanager_job_task_backPressuredTimeMsPerSecond",
    }
    (page,) = (engine.address for engine in engine_statuses(plant.owner) if engine.name == flink.METRICS)
    deadline = time.monotonic() + WITHIN_S  # they are pushed every ten seconds
    while missing := {name for name in names if name not in requests.get(page, timeout=10).text}:
        assert time.monotonic() < deadline, missing
        time.sleep(1)


def check_logs(plant: Plant) -> None:
    """Of an external cluster, through REST; of the embedded one, its files, with the same contents."""
    remote = list(logs(plant.site, lines=1_000_000))
    assert {line.process for line in remote} == {"jobmanager", *FlinkRest(plant.flink).task_managers()}
    assert any("eugenie operated" in line.text for line in remote)
    files = list(logs(plant.owner, lines=1_000_000))
    assert {line.process for line in files} == {flink.JOBMANAGER, flink.TASKMANAGER}
    assert [line.text for line in remote if line.process == "jobmanager"][:5] == [line.text for line in files][:5]
    assert len(list(logs(plant.owner, lines=3))) == 6
    assert run("logs", "--site", str(plant.file), "--lines", "2").startswith("jobmanager  20")


def check_what_runs_is_left_alone(plant: Plant) -> None:
    again = submit(plant.site)
    assert not again.started and again.job_id == plant.submitted() and again.changes == ()
    changed = plant.change(stream={"out_of_orderness": "3s"}, assets={ASSETS[2]: {"class": "pump"}})
    submission = submit(changed)
    assert not submission.started and submission.job_id == again.job_id
    assert [str(change) for change in submission.changes] == [
        "assets.pump-105: new",
        "stream.out_of_orderness: 2000 -> 3000",
    ]


def check_what_cannot_be_kept_is_refused_while_the_job_runs_on(plant: Plant) -> None:
    site = plant.site
    steps = site.classes["pump"].model_copy(update={"step": 2_000})
    wider = site.model_copy(update={"classes": {"pump": steps}})
    # the model does not fit either, and is checked first: so the check of the state is called directly
    with pytest.raises(EugenieError, match="step: the model has 1000 ms, the site 2000 ms") as raised:
        submit(wider, upgrade=True)
    assert raised.value.exit_code is ExitCode.REFUSED
    topics = site.kafka.topics.model_copy(update={"scores": "operated.elsewhere"})
    moved = site.model_copy(update={"kafka": site.kafka.model_copy(update={"topics": topics})})
    with pytest.raises(EugenieError, match=r"kafka.topics.scores: operated.scores -> operated.elsewhere") as raised:
        submit(moved, upgrade=True)
    assert raised.value.exit_code is ExitCode.REFUSED and "it keeps running" in raised.value.reason
    with pytest.raises(EugenieError, match="9 is more than the 8 shards"):
        submit(site, parallelism=9, upgrade=True)
    with pytest.raises(EugenieError, match="3 is more than the 2 partitions of the topic") as raised:
        submit(site, parallelism=3, upgrade=True)
    assert raised.value.exit_code is ExitCode.REFUSED
    assert status(site).state == "RUNNING" and status(site).job_id == plant.submitted()


def check_a_replay_that_would_be_late_is_refused(plant: Plant) -> None:
    until(lambda now: now.watermark is not None and now.watermark > iso(BEGIN + 60_000), plant.site)
    with pytest.raises(EugenieError, match="would become dead letters, late") as raised:
        plant.replay(None, PARTS[0])
    assert raised.value.exit_code is ExitCode.REFUSED


def check_an_upgrade_goes_on_from_a_savepoint(plant: Plant) -> str:
    """Upgrade with a new asset, another setting and twice the parallelism. Returns the new job's id."""
    done = submit(plant.site, parallelism=2, upgrade=True)
    assert done.started and done.origin == "savepoint" and "savepoint-" in str(done.resumed_from)
    assert {change.what for change in done.changes} == {
        "assets.pump-105",
        "stream.out_of_orderness",
        "stream.parallelism",
    }
    now = until(lambda now: now.state == "RUNNING" and now.operators, plant.site)
    assert 2 in {operator.parallelism for operator in now.operators}
    unchanged = submit(plant.site, parallelism=2, upgrade=True)
    assert not unchanged.started and unchanged.job_id == done.job_id
    return done.job_id


def kill_the_jobmanager(plant: Plant) -> None:
    """Kill the JobManager after a checkpoint with the readings; then restart what died, as an operator would."""
    until(lambda now: now.lag == 0 and now.checkpoints > 0, plant.site)
    process = identify(run_file(workspace_of(plant.owner), flink.JOBMANAGER))
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert is_missed(plant, "UNREACHABLE", "start the cluster")
    up(plant.owner, only=("kafka", "flink"))
    assert is_missed(plant, "STOPPED", "eugenie stream submit")


def is_missed(plant: Plant, state: str, hint: str) -> bool:
    """Check that `stream status` exits with 4, and prints the state and the next step."""
    result = CliRunner().invoke(app, ["stream", "status", "--site", str(plant.file), "-o", "json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["state"]) == (ExitCode.UNREACHABLE, state), document
    return document["problems"][0]["next"].startswith(hint)


def bounded_scores(site: Site, folder: Path) -> list[bytes]:
    """The records of a bounded replay of the whole history, without Kafka and Flink."""
    target = folder / "scores.jsonl"
    done = score(site, choose(site), version="1", scores_to=target, anomalies_to=folder / "anomalies.jsonl")
    lines = target.read_bytes().splitlines()
    assert done.rows == len(lines) and done.scores > 500
    expected = sorted((folder / "anomalies.jsonl").read_bytes().splitlines())
    assert sorted(records(site, site.topics.anomalies)) == expected and done.anomalies == len(expected) >= 4
    for record in consume.read(site, str(site.topics.anomalies), until_end=True):
        anomaly = json.loads(record.value or b"")
        assert (record.key or b"").startswith(f"{anomaly['asset']}/{anomaly['id']}".encode())
        assert record.partition == partition_of(anomaly["asset"], site.kafka.partitions)
    return sorted(lines)


def bounded_scores_of_what_was_sent(site: Site, folder: Path) -> list[bytes]:
    """The same for a file with the topic's messages, including the damaged ones."""
    (folder / "sent.jsonl").write_bytes(b"\n".join(records(site, site.topics.readings)))
    target = folder / "scores-of-file.jsonl"
    done = score(site, replace(choose(site), file=folder / "sent.jsonl"), version="1", scores_to=target)
    assert done.rejected == {"bad-json": 2, "missing-field": 1}
    return sorted(target.read_bytes().splitlines())


def check_anomalies_of_a_part(plant: Plant) -> None:
    """To stdout, for a pipe."""
    words = (
        "--site",
        str(plant.file),
        "--bounded",
        "--model-version",
        "1",
        "--asset",
        ASSETS[1],
        "--from",
        iso(PARTS[1]),
    )
    lines = [json.loads(line) for line in run("replay", *words).splitlines()]
    assert {anomaly["asset"] for anomaly in lines} == {ASSETS[1]}
    assert {"open", "closed"} <= {anomaly["state"] for anomaly in lines}


def check_the_next_job_can_begin_at_an_instant(plant: Plant, arrival: str, sent: int) -> None:
    """After a drain nothing is resumed; with an instant of arrival, the readings since then are read again."""
    with pytest.raises(EugenieError, match="no savepoint or checkpoint of the last job"):
        submit(plant.site, start="savepoint")
    before = ends(plant.site, plant.site.topics.scores)
    begun = submit(plant.site, start=arrival)
    assert begun.started and (begun.origin, begun.resumed_from) == ("timestamp", None)
    stop(plant.site, drain=True)
    new = records(plant.site, plant.site.topics.scores, before)
    assert sum(record["readings"] + record["bad_quality"] for record in map(json.loads, new)) == sent
    assert min(record["ts"] for record in map(json.loads, new)) >= iso(PARTS[1])


def check_an_asset_that_leaves_with_its_anomaly_open(plant: Plant) -> None:
    """A job that fails again and again is replaced. The asset is the only one of its shard: the job resumes from its
    savepoint and closes the open anomaly in it."""
    gone, staying = ASSETS[2], ASSETS[:2]
    site = plant.site
    assert {shard_of(asset, 8) for asset in staying} & {shard_of(gone, 8)} == set()
    failing = plant.submitted()
    replaced = submit(site, start=iso(int(time.time() * 1000)))
    assert replaced.started and replaced.job_id != failing
    send_a_minute(site, 0, ASSETS)
    opened = await_anomaly(site, gone, "open")
    check_a_transaction_that_another_program_left_open_is_named(plant)
    check_an_asset_begins_anew_and_the_others_go_on(plant)

    document = yaml.safe_load(plant.file.read_text())
    del document["assets"][gone]
    plant.file.write_text(yaml.safe_dump(document))
    upgraded = submit(plant.site, upgrade=True)
    assert [str(change) for change in upgraded.changes] == [f"assets.{gone}: removed"]
    send_a_minute(site, 1, staying)
    closed = await_anomaly(site, gone, "closed")
    assert (closed["id"], closed["reason"]) == (opened["id"], "removed") and opened["start"] < closed["end"]
    assert status(plant.site).restarts == 0
    check_names_and_time_may_come_from_the_record(plant)


def check_names_and_time_may_come_from_the_record(plant: Plant) -> None:
    """The running job is upgraded to a mapping that takes all but the value from the record, in every codec."""
    site = plant.change(kafka={"readings": FROM_THE_RECORD})
    (unfit,) = topic_settings.unfit(site.kafka_access).values()
    assert "replace with the time of arrival" in str(unfit)
    topic_settings.change(site.kafka_access, unfit.topic, unfit.settings)
    assert topic_settings.unfit(site.kafka_access) == {}
    before = {topic: ends(site, topic) for topic in (site.topics.scores, site.topics.dead_letters)}
    assert submit(site, upgrade=True).origin == "savepoint"
    now = int(time.time() - len(CODECS)) * 1_000
    for second, codec in enumerate(CODECS):
        producer = PlainProducer(client_settings(site, compression_type=codec, linger_ms=200))
        for asset, sensor in itertools.product(ASSETS[:2], NAMES):
            headers = {"machine": asset, "quality": "bad" if sensor == "c" else "good"}
            producer.produce(unfit.topic, b"0.5", sensor, headers=headers, timestamp=now + 1_000 * second)
        named = {"machine": ASSETS[0]}
        for key, payload, headers in ((None, b"1", named), ("a", b"1", {}), ("a", b"{}", named), ("z", b"1", named)):
            producer.produce(unfit.topic, payload, key, headers=headers, timestamp=now + 1_000 * second)
        assert producer.flush(WITHIN_S) == 0
    stop(site, drain=True)
    rows, letters = ([json.loads(text) for text in records(site, *where)] for where in before.items())
    rows = [row for row in rows if row["ts"] >= iso(now)]  # without the last ones of the mapping before
    counts = {name: sum(row[name] for row in rows) for name in ("readings", "bad_quality")}
    assert counts == {"readings": 4 * len(CODECS), "bad_quality": 2 * len(CODECS)}
    assert {row["ts"] for row in rows if row["readings"]} == {iso(now + 1_000 * n) for n in range(len(CODECS))}
    dead = Counter()
    for letter in letters:
        dead[letter["reason"]] += letter.get("count", 1)
    assert dead == {"missing-field": 2 * len(CODECS), "bad-value": len(CODECS), "unknown-tag": len(CODECS)}
    assert {letter["record"]["header machine"] for letter in letters if letter["reason"] == "bad-value"} == {ASSETS[0]}
    plant.change(kafka={"readings": {name: {"path": name} for name in ("asset", "sensor", "tag", "quality")}})


def check_an_asset_begins_anew_and_the_others_go_on(plant: Plant) -> None:
    """Its anomaly closes, its waiting readings become letters; the anomaly of another stays open."""
    site, (anew, other) = plant.site, ASSETS[:2]
    opened = {asset: await_anomaly(site, asset, "open") for asset in (anew, other)}
    assert run("reset", anew, "--site", str(plant.file)).strip().endswith(f"without the state of {anew}")
    replay_lines(plant, plant.file.with_name("more.jsonl"), b"[]")  # the job begins with its first message
    assert await_anomaly(site, anew, "closed", opened[anew]["id"])["reason"] == "reset"
    (letter,) = [
        letter for letter in map(json.loads, records(site, site.topics.dead_letters)) if letter["reason"] == "reset"
    ]
    waited = json.loads(letter["payload"])
    assert len(waited) == letter["count"] > 0 and {reading["asset"] for reading in waited} == {anew}
    assert not any(
        (record["id"], record["state"]) == (opened[other]["id"], "closed")
        for record in map(json.loads, records(site, site.topics.anomalies))
    )
    with pytest.raises(EugenieError, match=r"no asset pump-10 \(did you mean"):
        reset(site, ["pump-10"])


def send_a_minute(site: Site, minute: int, assets: tuple[str, ...]) -> None:
    """One reading per second of each sensor, all anomalous, from an hour after the start of the history."""
    with Producer(site) as producer:
        for second in range(60):
            ts = iso(BEGIN + 3_600_000 + 60_000 * minute + 1_000 * second)
            for asset, name in itertools.product(assets, NAMES):
                reading = {"asset": asset, "sensor": name, "ts": ts, "value": 1.0}
                producer.send(str(site.topics.readings), asset, json.dumps(reading).encode())


def await_anomaly(site: Site, asset: str, state: str, identity: str | None = None) -> dict[str, Any]:
    """The last record of an asset's anomaly in this state. `identity`: of which anomaly; None: of any."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        for anomaly in reversed([json.loads(text) for text in records(site, site.topics.anomalies)]):
            if (anomaly["asset"], anomaly["state"]) == (asset, state) and identity in (None, anomaly["id"]):
                return anomaly
        time.sleep(0.5)
    pytest.fail(f"no anomaly of {asset} is {state} within {WITHIN_S:.0f} s")


def check_a_drain_of_a_live_topic_ends_and_doubles_nothing(plant: Plant) -> None:
    """While readings arrive, a job is drained and the next one continues; it is drained when they have ended."""
    site = plant.site
    topics = (site.topics.scores, site.topics.dead_letters)
    before = [ends(site, topic) for topic in topics]
    ended, sent = threading.Event(), 0

    def feed() -> None:
        nonlocal sent
        with produce.Producer(site) as producer:
            while not ended.wait(0.2):
                now = int(time.time() * 5) * 200  # each instant once: repeats would be counted without a letter
                for asset, sensor in ((asset, sensor) for asset in ASSETS[:2] for sensor in NAMES):
                    sent += 1
                    reading = {"asset": asset, "sensor": sensor, "ts": iso(now), "value": 1.0}
                    producer.send(str(site.topics.readings), asset, json.dumps(reading).encode())

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        submit(site)
        until(lambda now: now.scores_per_s, site)
        first = stop(site, drain=True)
        assert first.drained and feeding.is_alive()
        second = submit(site)
        assert second.started and second.resumed_from is None
        until(lambda now: now.readings_per_s, site)
    finally:
        ended.set()
        feeding.join()
    stop(site, drain=True)
    rows, letters = (
        [json.loads(record) for record in records(site, topic, begin)]
        for topic, begin in zip(topics, before, strict=True)
    )
    keys = Counter((record["asset"], record["ts"]) for record in rows)
    assert [key for key, count in keys.items() if count > 1] == []
    assert {letter["reason"] for letter in letters} <= {"late"}, (
        "only readings of rows that the drain had made may be late"
    )
    accounted = sum(record["readings"] + record["bad_quality"] for record in rows)
    accounted += sum(letter.get("count", 1) for letter in letters)
    assert accounted == sent


def check_a_job_of_another_workspace_is_refused_and_named(plant: Plant) -> None:
    """As the broker shows it: the offsets of a group of the site advance."""
    site, group = plant.site, consumer_group("operated", "laptop-7-1a2b3c4d")
    topic, stopped = str(site.topics.readings), threading.Event()
    gateway = confluent_kafka.Producer(client_settings(site))
    for _ in range(100):
        gateway.produce(topic, b"[]", partition=0)
    gateway.flush(30)

    def read() -> None:
        for offset in itertools.count(ends(site, topic)[0] - 100):
            positions.commit(site.kafka_access, group, topic, {0: offset})
            if stopped.wait(0.3):
                return

    reading = threading.Thread(target=read)
    reading.start()
    try:
        with pytest.raises(EugenieError, match="laptop-7") as raised:
            submit(site)
    finally:
        stopped.set()
        reading.join()
    assert raised.value.exit_code is ExitCode.REFUSED and "--beside" in str(raised.value.hint)
    admin = AdminClient(client_settings(site))  # keep a reference: once collected, the client never answers
    admin.delete_consumer_groups([group])[group].result(30)


def check_a_transaction_that_another_program_left_open_is_named(plant: Plant) -> None:
    """It hides the readings after it from the job, until it is ended."""
    site, topic = plant.site, str(plant.site.topics.readings)
    program = confluent_kafka.Producer(client_settings(site, transactional_id="foreign"))
    program.init_transactions(30)
    program.begin_transaction()
    begin = ends(site, topic)[1]
    program.produce(topic, b"[]", partition=1)
    program.flush(30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hung_transactions, "LONG_MS", 0)
        now = until(lambda now: now.problems, site)
        (problem,) = now.problems
        assert (now.lag, now.hidden) == (0, 1)
        assert f"partition 1 of {topic}" in problem.what and "the job cannot read the 1 records" in problem.what
        assert problem.next.endswith(f"abort --topic {topic} --partition 1 --start-offset {begin}")
        program.abort_transaction(30)
        until(lambda now: not now.problems, site)


def check_a_job_that_fails_again_and_again_cannot_be_drained(plant: Plant) -> None:
    """It fails with its first reading, whether or not it completes a checkpoint before. It is left running."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(EugenieError):
        specify = submitting._specify
        patch.setattr(submitting, "_specify", lambda *given: replace(specify(*given), classes=()))
        submit(plant.site, start="earliest")
    rest, job = FlinkRest(plant.flink), plant.submitted()
    deadline = time.monotonic() + WITHIN_S
    while crash_loop.of(rest, job) is None:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    with pytest.raises(EugenieError, match=r"cannot be drained: it has failed .* times .*KeyError: 'pump'"):
        stop(plant.site, drain=True)


def check_what_the_topic_has_no_more_is_counted_and_another_topic_refused(plant: Plant) -> None:
    """The topic as `submit` checks it, for a job that was stopped with a savepoint."""
    site, topic = plant.site, str(plant.site.topics.readings)
    submit(site)
    replay_lines(plant, plant.file.with_name("more.jsonl"), *[b"[]"] * 40)
    until(lambda now: now.lag == 0, site)
    assert stop(site).savepoint
    replay_lines(plant, plant.file.with_name("more.jsonl"), *[b"[]"] * 40)
    admin = AdminClient(client_settings(site))
    ends = positions.look(site, topic).end
    for removed in admin.delete_records(
        [TopicPartition(topic, partition, end) for partition, end in ends.items()]
    ).values():
        removed.result(30)
    log, last = ProgressLog(), job_record.load(workspace_of(site))
    resume = resume_point.find(job_of(site), last, Start("auto"), log)
    assert resume.state is not None and resume.state.kind == "savepoint"
    counts = [int(words.split(": ")[1].split()[0]) for words in log.lines if "removed by retention" in words]
    assert sum(counts) == 40 == sum(ends.values()) - sum(resume.offsets.values())

    check_a_topic_that_is_made_anew_while_the_job_runs(plant, admin)


def check_a_topic_that_is_made_anew_while_the_job_runs(plant: Plant, admin: AdminClient) -> None:
    """The job does not go on in it. The next one begins anew; no row is written twice, although readings are resent."""
    site, topic = plant.site, str(plant.site.topics.readings)
    before = ends(site, site.topics.scores)
    job, first = submit(site).job_id, int(time.time()) + 1
    send_seconds(site, first, first + 30)
    until(lambda now: now.lag == 0, site)
    deadline = time.monotonic() + WITHIN_S
    while len(records(site, site.topics.scores, before)) < 40:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    rest = FlinkRest(plant.flink)

    admin.delete_topics([topic])[topic].result(30)
    while topic in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline + WITHIN_S
        time.sleep(0.2)
    submitting.topics.ensure(site.kafka_access)
    send_seconds(site, first, first + 40)
    while crash_loop.of(rest, job) is None:
        assert time.monotonic() < deadline + 2 * WITHIN_S, status(site)
        time.sleep(0.5)
    assert "TopicRecreatedError" in str(crash_loop.of(rest, job))
    with pytest.raises(EugenieError, match="was recreated") as raised:
        submit(site, upgrade=True, parallelism=2)
    assert raised.value.exit_code is ExitCode.REFUSED and "--start-at earliest" in str(raised.value.hint)

    assert submit(site, start="earliest").started
    stop(site, drain=True)
    rows = Counter((row["asset"], row["ts"]) for row in map(json.loads, records(site, site.topics.scores, before)))
    assert max(rows.values()) == 1
    assert {(asset, iso(1_000 * second)) for asset in ASSETS[:2] for second in range(first, first + 40)} <= set(rows)


def send_seconds(site: Site, begin: int, end: int) -> None:
    """One reading of each sensor of two assets per second, from `begin` to before `end` (s since 1970)."""
    with Producer(site) as producer:
        for second, asset, name in itertools.product(range(begin, end), ASSETS[:2], NAMES):
            reading = {"asset": asset, "sensor": name, "ts": iso(1_000 * second), "value": 1.0}
            producer.send(str(site.topics.readings), asset, json.dumps(reading).encode())
