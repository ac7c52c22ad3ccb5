"""Whatever is killed, the stream's results equal those of an undisturbed run: to the last digit, without duplicates.

By default, one run goes through every kind of fault in turn and is rescaled in the middle. With EUGENIE_CHAOS=full,
each fault has its own run, the disk is full for a while, models are swapped, and twenty random kills follow
(EUGENIE_CHAOS_SEED). Figures are printed, and appended to EUGENIE_CHAOS_FIGURES as JSON lines.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from support import foreground
from support.chaos import (
    FAULTS,
    RATE,
    Feed,
    Outcome,
    ProgressLog,
    Survived,
    Watch,
    differences,
    finish,
    keeping,
    no_checkpoints,
    on_topics,
    random_kills,
    server_away,
    survive,
)
from support.chaos_plant import ASSETS, CLASS, Message, messages, plant
from support.small_models import release, sixteenths, version_of, write_version

from eugenie_cli.engines import endpoints, flink, job_record, process, temporary_folders
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.errors import EugenieError
from eugenie_cli.operations.down import down
from eugenie_cli.operations.supervisor import JOB
from eugenie_cli.operations.up import up
from eugenie_cli.serving import local
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.job import ALIVE
from eugenie_cli.streaming.status import status
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_800)]

FULL = os.environ.get("EUGENIE_CHAOS") == "full"
SEED = int(os.environ.get("EUGENIE_CHAOS_SEED", "1"))
FIGURES = os.environ.get("EUGENIE_CHAOS_FIGURES")
SECONDS = 2_400
"""Plant time: 54,000 messages."""
SLICE = 7_000
"""Readings that arrive during a fault."""
KILLS = 20

Tell = Callable[[str], None]

only_in_full = pytest.mark.skipif(not FULL, reason="a case of its own with EUGENIE_CHAOS=full")


@dataclass(frozen=True)
class Chaos:
    """The plant on its own engines, and the results of an undisturbed run."""

    site: Site
    outgoing: list[Message]
    wanted: Outcome


@pytest.fixture(scope="module")
def chaos(site_factory) -> Iterator[Chaos]:
    logging.getLogger("eugenie.kafka").setLevel(logging.CRITICAL)  # it logs each refused connection
    site = plant(site_factory, "chaos")
    write_version(workspace_of(site).models, CLASS, 1, ASSETS, sixteenths)
    release(workspace_of(site).models, CLASS, 1)
    up(site, only=("kafka", "flink"))
    try:
        local.start(site)
        outgoing = messages(SEED, SECONDS)
        yield Chaos(site, outgoing, undisturbed(on_topics(site, "undisturbed"), outgoing))
    finally:
        down(site)


def undisturbed(site: Site, outgoing: list[Message]) -> Outcome:
    """The run with which the others are compared; it must contain everything that they could get wrong."""
    submit(site, start="earliest")
    feed = Feed(site, outgoing)
    while feed.left:  # in portions shorter than the delay of the late readings
        feed.send(min(feed.left, SLICE))
        time.sleep(0.5)
    outcome = finish(site, feed)
    assert outcome.repeated == 0 and outcome.accounted == len(outgoing)
    states = Counter(record["state"] for records in outcome.anomalies.values() for record in records)
    reasons = Counter(record["reason"] for records in outcome.anomalies.values() for record in records)
    assert states["open"] == states["closed"] > 50 and min(reasons["recovered"], reasons["silent"]) > 5
    assert outcome.dead.keys() >= {"bad-json", "bad-timestamp", "missing-field", "bad-value", "unknown-tag", "late"}
    assert any(record["score"] is None for record in outcome.scores.values())
    return outcome


@dataclass
class Run:
    """A run with faults: what is needed to cause them, and their outcome."""

    site: Site
    feed: Feed
    watch: Watch
    told: ProgressLog
    survived: list[Survived] = field(default_factory=list)
    revived: Counter[str] = field(default_factory=Counter)
    signals: list[signal.Signals] = field(default_factory=list)
    """Signals that interrupt the submissions after a stop, one each."""

    def strike(self, fault: str, how: Callable[[Site], None] | None = None) -> None:
        self.survived.append(survive(self.site, self.watch, self.feed, fault, how or FAULTS[fault], SLICE))


@contextmanager
def running(chaos: Chaos, name: str, partitions: int = 1) -> Iterator[Run]:
    """The job on its own topics, supervised. When the block ends, the stream has ended or the job is stopped."""
    site, log = on_topics(chaos.site, name, partitions), ProgressLog()
    submit(site, start="earliest")
    try:
        with keeping(site, log) as keeper, Watch(site) as watch:
            run = Run(site, Feed(site, chaos.outgoing), watch, log, revived=keeper.revived)
            yield run
    except BaseException:
        print("\n".join(["messages of the supervisor:", *log.lines]))
        with contextlib.suppress(EugenieError):
            stop(site, savepoint=False)
        raise


def prove(chaos: Chaos, run: Run, tell: Tell) -> None:
    """End the run; check that every result equals the undisturbed one and every message is accounted for."""
    outcome = finish(run.site, run.feed)
    wrong = differences(outcome, chaos.wanted)
    assert not wrong, "\n".join([*map(str, run.survived), *run.told.lines, *wrong])
    assert outcome.accounted == len(chaos.outgoing)
    report(tell, outcome, run)


def report(tell: Tell, outcome: Outcome, run: Run) -> None:
    anomalies = sum(map(len, outcome.anomalies.values()))
    dead = sum(outcome.dead.values())
    tell(
        f"{run.feed.sent:,} messages = {outcome.rows['readings']:,} in rows + {outcome.rows['bad_quality']:,} of bad"
        f" quality + {dead:,} dead letters; {len(outcome.scores):,} score and {anomalies} anomaly records, equal;"
        f" started again: {dict(run.revived) or 'nothing'}"
    )
    for fault in run.survived:
        tell(f"  {fault.fault}: rows again after {fault.seconds:.1f} s")
    if FIGURES:
        figures = {
            "case": run.site.topics.scores,
            "messages": run.feed.sent,
            "scores": len(outcome.scores),
            "anomalies": anomalies,
            "dead_letters": dead,
            "faults": len(run.survived),
            "revived": dict(run.revived),
            "seconds": [[fault.fault, round(fault.seconds, 1)] for fault in run.survived],
        }
        with Path(FIGURES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")


def rescale(run: Run, parallelism: int) -> None:
    """Stop with a savepoint and resume with another parallelism, while readings arrive."""
    began = time.monotonic()
    kept = stop(run.site)
    assert not submit(run.site, lost=True).started, "the supervisor must not restart a stopped job"
    wider = run.site.model_copy(update={"stream": run.site.stream.model_copy(update={"parallelism": parallelism})})
    interrupted = interrupt_a_submission(wider, run.signals.pop(0)) if run.signals else None
    resumed, last = submit(wider), job_record.load(workspace_of(wider))
    assert kept.savepoint is not None and last is not None and last.resumed_from == kept.savepoint
    assert interrupted in (None, resumed.job_id), "the interrupted request and the next one must be one job"
    alive = [job for job in FlinkRest(endpoints.flink(run.site)).jobs() if job["state"] in ALIVE]
    assert [job["jid"] for job in alive] == [resumed.job_id]
    run.survived.append(Survived(f"rescaled to {parallelism}", time.monotonic() - began))


def interrupt_a_submission(site: Site, number: signal.Signals) -> str:
    """Interrupt `submit` by a signal while Flink processes its request; returns the job's id from the record."""
    code = (
        "import sys; from pathlib import Path; from eugenie_cli.site.schema import Site;"
        "from eugenie_cli.streaming.submit import submit;"
        "submit(Site.model_validate_json(sys.argv[1]).model_copy(update={'base': Path(sys.argv[2])}))"
    )
    argv = [sys.executable, "-c", code, site.model_dump_json(by_alias=True), str(site.base)]
    submitting = foreground.start(argv, stderr=subprocess.DEVNULL)
    while (last := job_record.load(workspace_of(site))) is None or last.accepted:
        assert submitting.poll() is None, "it was not interrupted"
        time.sleep(0.02)
    time.sleep(0.3)  # it sends the request
    submitting.send_signal(number)
    assert submitting.wait(60) != 0
    return last.job_id


def check_what_is_left_and_open(site: Site) -> None:
    """Nothing listens beyond loopback, no folder of a dead process is left, no message floods the logs."""
    mark = str(workspace_of(site).run)
    listening = set()
    for running in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if running.environ().get(process.MARKER, "").startswith(mark):
                listening |= {c.laddr.ip for c in running.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening and {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}
    engines_run = [process.identify(run_file(workspace_of(site), name)) for name in flink.JVMS]
    folders = {engine.details[temporary_folders.DETAIL] for engine in engines_run if engine is not None}
    roots = {Path(folder).parent for folder in folders}
    assert {str(path) for root in roots for path in root.iterdir()} == folders
    for name in flink.JVMS:
        for log in workspace_of(site).logs.glob(f"{name}.log*"):
            assert log.read_bytes().count(b"Rebootstrapping") < 10, log


def test_one_run_through_every_kind_of_death(chaos, tell):
    with running(chaos, "all", partitions=2) as run:
        run.signals += [signal.SIGKILL]
        run.strike("Python worker")
        run.strike("model server", server_away)
        run.strike("JobManager")
        run.strike("broker")
        with run.feed.trickle(SLICE, RATE):
            rescale(run, 2)
        run.strike("TaskManager")
        check_what_is_left_and_open(run.site)
        prove(chaos, run, tell)
    assert run.revived[flink.TASKMANAGER] >= 1
    assert run.revived[flink.JOBMANAGER] == run.revived[JOB] == run.revived["kafka"] == 1


@only_in_full
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_kill_changes_nothing(chaos, tell, fault):
    with running(chaos, f"kill-{fault.replace(' ', '-')}") as run:
        for _ in range(3):
            run.strike(fault)
        prove(chaos, run, tell)


@only_in_full
def test_the_job_waits_for_an_unreachable_server(chaos, tell):
    with running(chaos, "away") as run:
        run.strike("model server", server_away)
        prove(chaos, run, tell)


@only_in_full
@pytest.mark.parametrize("seconds", [5, 40])
def test_a_full_disk_stops_checkpoints_and_heals(chaos, tell, seconds):
    """5 s: some checkpoints fail. 40 s: so many that the job fails, and cannot restart until there is space again."""

    def fill(site: Site) -> None:
        failed = status(site).failed_checkpoints
        with no_checkpoints(site):
            time.sleep(seconds)
            assert status(site).failed_checkpoints > failed

    with running(chaos, f"full-{seconds}") as run:
        run.strike("disk", fill)
        prove(chaos, run, tell)


@only_in_full
def test_it_is_rescaled_up_and_down(chaos, tell):
    with running(chaos, "rescaled", partitions=2) as run:
        run.signals += [signal.SIGINT, signal.SIGKILL, signal.SIGINT]
        for parallelism in (2, 1, 2):
            with run.feed.trickle(SLICE, RATE):
                run.watch.wait_for_rows(200, "rows before the stop")
                rescale(run, parallelism)
            since_ms = int(time.time() * 1000)
            run.feed.send(SLICE)
            run.watch.wait_for_rows(500, "rows after the start", since_ms)
        prove(chaos, run, tell)


@only_in_full
def test_models_are_swapped_while_it_runs(chaos, tell):
    """Each score record names its version and, except for the version, equals that of version 1."""
    models = workspace_of(chaos.site).models
    try:
        with running(chaos, "swapped") as run:
            for version in (2, 3):

                def swap(site: Site, version: int = version) -> None:
                    write_version(models, CLASS, version, ASSETS, sixteenths)
                    release(models, CLASS, version)
                    run.watch.wait_for(lambda: serves(site, version), f"version {version} serves")

                run.strike(f"swap to {version}", swap)
            outcome = finish(run.site, run.feed)
    finally:
        release(models, CLASS, 1)
        for version in (2, 3):
            shutil.rmtree(models / CLASS / str(version), ignore_errors=True)
        local.stop(chaos.site)
        local.start(chaos.site)
    scored = {key: one for key, one in outcome.scores.items() if one["score"] is not None}
    assert outcome.repeated == 0 and outcome.accounted == len(chaos.outgoing)
    assert outcome.scores.keys() == chaos.wanted.scores.keys()
    assert all(version_of(record["score"]) == record["model"]["version"] for record in scored.values())
    assert {record["model"]["version"] for record in scored.values()} == {1, 2, 3}
    assert {key: base(one) for key, one in outcome.scores.items()} == {
        key: base(one) for key, one in chaos.wanted.scores.items()
    }
    assert {asset: essences(of) for asset, of in outcome.anomalies.items()} == {
        asset: essences(of) for asset, of in chaos.wanted.anomalies.items()
    }
    report(tell, outcome, run)


def serves(site: Site, version: int) -> bool:
    return any(model.version == version and model.state == "AVAILABLE" for model in local.status(site).models)


def base(record: dict) -> tuple:
    """A score record without its version."""
    score = record["score"]
    kept = None if score is None else round(score * 64 - version_of(score) / 1024, 3)
    return record["asset"], record["ts"], kept, record["readings"], record["bad_quality"]


def essences(records: list[dict]) -> list[tuple]:
    names = ("id", "state", "start", "detected", "end", "reason")
    return [tuple(record[name] for name in names) for record in records if record["state"] != "update"]


@only_in_full
def test_random_kills_change_nothing(chaos, tell):
    with running(chaos, "random", partitions=2) as run:
        run.survived.extend(random_kills(run.site, run.watch, run.feed, KILLS, SEED))
        prove(chaos, run, tell)
