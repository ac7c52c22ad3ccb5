"""`eugenie up`, `down` and `status` on the real engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support import foreground

from eugenie_cli.broker import transactions
from eugenie_cli.engines import endpoints, process
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.operations.down import down
from eugenie_cli.operations.status import status
from eugenie_cli.operations.up import up
from eugenie_cli.site.load import workspace_of

pytestmark = pytest.mark.integration

ENGINES = ("kafka", "flink-jobmanager", "flink-taskmanager", "flink-metrics", "mlflow")


@pytest.fixture(scope="module")
def site(site_factory):
    """A site whose engines were started on a machine without Java."""
    site = site_factory("life")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nonexistent")
        patch.delenv("JAVA_HOME", raising=False)
        up(site)
    yield site
    down(site)


def pids(site) -> dict[str, int | None]:
    return {engine.name: engine.pid for engine in status(site)}


def states(site) -> dict[str, str]:
    return {engine.name: engine.state for engine in status(site)}


def family(site) -> list[psutil.Process]:
    """Every process that carries a marker of the site's workspace."""
    run = str(workspace_of(site).run)
    processes = []
    for running in psutil.process_iter():
        try:
            if running.environ().get(process.MARKER, "").startswith(run):
                processes.append(running)
        except psutil.Error:
            continue
    return processes


def create_topic(site, name: str) -> dict[str, str]:
    settings = {"bootstrap.servers": endpoints.kafka(site)}
    admin = AdminClient(
        settings
    )  # kept in a variable: if it were collected before its response arrives, that would never arrive
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(60)
    return settings


def consume(settings, topic: str, count: int, group: str = "test") -> list[bytes]:
    consumer = Consumer({
        **settings, "group.id": group, "auto.offset.reset": "earliest", "isolation.level": "read_committed",
    })  # fmt: skip
    consumer.subscribe([topic])
    values: list[bytes] = []
    deadline = time.monotonic() + 180  # a Python worker starts in 5 s, on a busy machine in much more
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            values.append(message.value())
    consumer.close()
    return values


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - on loopback
        return answer.read()


def test_every_engine_runs_in_a_process_of_its_own_without_java_on_the_machine(site):
    assert [state for name, state in states(site).items() if name in ENGINES] == ["running"] * len(ENGINES)
    assert len({pid for name, pid in pids(site).items() if name in ENGINES}) == len(ENGINES)


def test_everything_listens_on_loopback_only(site):
    listening = {
        connection.laddr.ip
        for member in family(site)
        for connection in member.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening and all(ip.removeprefix("::ffff:") in ("127.0.0.1", "::1") for ip in listening)


def test_prometheus_finds_the_metrics_of_both_flink_processes_on_one_page(site):
    (page,) = (engine.address for engine in status(site) if engine.name == "flink-metrics")
    deadline = time.monotonic() + 60  # they are pushed every ten seconds
    while not ((text := get(page).decode()).count("# TYPE flink_jobmanager") and "# TYPE flink_taskmanager" in text):
        assert time.monotonic() < deadline, text[:500]
        time.sleep(0.5)
    assert "flink_jobmanager_numRegisteredTaskManagers" in text and text.count("# TYPE flink_taskmanager_Status") > 10


def test_kafka_keeps_what_is_committed_and_hides_what_is_aborted(site):
    settings = create_topic(site, "transactions")
    longest = transactions.longest_ms(site.kafka_access)
    assert longest == transactions.DAY_MS  # an outage overnight loses nothing
    producer = Producer({**settings, "transactional.id": "test", "transaction.timeout.ms": longest})
    producer.init_transactions(30)
    for value, end in (("lost", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("transactions", value)
        producer.flush(10)
        end(10)
    assert consume(settings, "transactions", 1) == [b"kept"]


def test_topics_are_not_created_by_mistake(site):
    failures = []
    # propagation: how long a client assumes that an unknown topic is only new
    settings = {"bootstrap.servers": endpoints.kafka(site), "topic.metadata.propagation.max.ms": 0}
    producer = Producer(settings)
    producer.produce("mistyped", b"lost", on_delivery=lambda error, _: failures.append(error))
    producer.flush(30)
    (failure,) = failures
    assert failure.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


def test_flink_has_one_task_manager_with_the_sites_slots(site):
    overview = json.loads(get(f"{endpoints.flink(site)}/overview"))
    assert (overview["taskmanagers"], overview["slots-total"]) == (1, site.engines.slots)


def test_flink_runs_sql_from_kafka_to_kafka_without_jars_of_the_job(site, tmp_path):
    settings = create_topic(site, "numbers")
    create_topic(site, "doubles")
    producer = Producer(settings)
    for number in range(20):
        producer.produce("numbers", json.dumps({"n": number}))
    producer.flush(10)
    job = tmp_path / "job.py"
    job.write_text(SQL_JOB.format(kafka=endpoints.kafka(site)))
    submit(endpoints.flink(site), job)
    assert sorted(json.loads(value)["n"] for value in consume(settings, "doubles", 20, "doubles")) == [
        2 * number for number in range(20)
    ]


SQL_JOB = """
from pyflink.table import EnvironmentSettings, TableEnvironment
from pyflink.table.expressions import col
from pyflink.table.udf import udf

@udf(result_type="BIGINT")
def double(n):
    return 2 * n

table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
kafka = "'connector' = 'kafka', 'properties.bootstrap.servers' = '{kafka}', 'format' = 'json'"
table.execute_sql("CREATE TABLE numbers (n BIGINT) WITH (" + kafka + ", 'topic' = 'numbers',"
    " 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')")
table.execute_sql("CREATE TABLE doubles (n BIGINT) WITH (" + kafka + ", 'topic' = 'doubles')")
table.create_temporary_function("twice", double)
table.execute_sql("INSERT INTO doubles SELECT twice(n) FROM numbers")
"""


def submit(address: str, job: Path) -> None:
    """Run a PyFlink file through the JobManager's REST API, as `eugenie stream submit` does."""
    import requests

    from eugenie_cli.engines import pyflink_program

    jar = pyflink_program.patched()
    with jar.open("rb") as stream:
        files = {"jarfile": (jar.name, stream, "application/x-java-archive")}
        uploaded = requests.post(f"{address}/jars/upload", files=files, timeout=60)
    name = Path(uploaded.json()["filename"]).name
    driver = "org.apache.flink.client.python.PythonDriver"
    arguments = ["-py", str(job), "-pyexec", sys.executable, "-pyclientexec", sys.executable]
    body = {"entryClass": driver, "programArgsList": arguments}
    answer = requests.post(f"{address}/jars/{name}/run", json=body, timeout=180)
    assert answer.ok, answer.text


def test_mlflow_answers_and_the_store_is_the_sites_own(site):
    assert get(f"{endpoints.mlflow(site)}/health") == b"OK"
    assert (workspace_of(site).mlflow / "mlflow.db").is_file()


def test_a_second_up_changes_nothing(site):
    before = pids(site)
    up(site)
    assert pids(site) == before


@pytest.mark.parametrize("name", ["kafka", "flink-taskmanager"])
def test_up_restarts_only_what_died_at_the_same_address(site, name):
    before, address = pids(site), endpoints.kafka(site)
    os.kill(before[name], signal.SIGKILL)
    wait_until_gone(before[name])
    assert states(site)[name] == "crashed"
    up(site)
    after = pids(site)
    assert after.pop(name) != before.pop(name)
    assert after == before
    assert endpoints.kafka(site) == address
    assert states(site)[name] == "running"


def test_what_hangs_does_not_answer_although_its_port_is_open(site):
    """The JobManager still counts the slots of a hanging TaskManager: only missing heartbeats reveal it."""
    before = pids(site)
    hanging = ("flink-taskmanager", "flink-metrics")
    for name in hanging:
        os.kill(before[name], signal.SIGSTOP)
    try:
        wait_for_states(site, dict.fromkeys(hanging, "not answering"))
        engines = {engine.name: engine for engine in status(site)}
        assert [engines[name].ok for name in ("kafka", "flink-jobmanager", *hanging)] == [True, True, False, False]
        assert all("eugenie up" in engines[name].hint for name in hanging)
    finally:
        for name in hanging:
            os.kill(before[name], signal.SIGCONT)
    wait_for_states(site, dict.fromkeys(hanging, "running"))
    assert pids(site) == before


def wait_for_states(site, expected: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while {name: state for name, state in states(site).items() if name in expected} != expected:
        assert time.monotonic() < deadline, states(site)
        time.sleep(0.5)


def test_a_restarted_broker_has_its_records(site):
    settings = create_topic(site, "durable")
    producer = Producer(settings)
    producer.produce("durable", b"before")
    producer.flush(10)
    process.stop(workspace_of(site).run / "kafka.json")
    up(site, only=["kafka"])
    assert consume(settings, "durable", 1) == [b"before"]


def test_interrupting_up_leaves_what_ran_before_and_nothing_else(site):
    """Ctrl-C while the TaskManager restarts: the other engines keep running, the TaskManager does not."""
    before = pids(site)
    process.stop(workspace_of(site).run / "flink-taskmanager.json")
    code = (
        "import sys; from pathlib import Path; from eugenie_cli.site.schema import Site;"
        "from eugenie_cli.operations.up import up;"
        "site = Site.model_validate_json(sys.argv[1]).model_copy(update={'base': Path(sys.argv[2])});"
        "print('up', flush=True); up(site)"
    )
    argv = [sys.executable, "-c", code, site.model_dump_json(by_alias=True), str(site.base)]
    starting = foreground.start(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    run_file = workspace_of(site).run / "flink-taskmanager.json"
    while process.identify(run_file) is None:
        assert starting.poll() is None
        time.sleep(0.05)
    starting.send_signal(signal.SIGINT)
    assert starting.wait(60) != 0
    expected = {**before, "flink-taskmanager": None}
    assert pids(site) == expected
    assert {member.environ()[process.MARKER] for member in family(site)}.isdisjoint({str(run_file)})


def test_an_engine_that_cannot_start_says_what_its_log_says(site_factory):
    site = site_factory("broken", engines={"kafka_heap": "1g2"})
    with pytest.raises(EugenieError, match="Invalid maximum heap size"):
        up(site, only=["kafka"])
    assert family(site) == []


def test_an_external_engine_is_checked_and_never_started(site_factory):
    site = site_factory("external", kafka={"bootstrap": "127.0.0.1:9"}, stream={"flink": "http://127.0.0.1:9"})
    with pytest.raises(EugenieError, match=r"kafka does not answer at 127\.0\.0\.1:9") as raised:
        up(site)
    assert raised.value.exit_code is ExitCode.UNREACHABLE
    assert {state for name, state in states(site).items() if name in ("kafka", "flink")} == {"unreachable"}
    assert family(site) == []


def test_down_leaves_no_process(site):
    up(site)
    assert len(family(site)) >= 4
    down(site)
    assert family(site) == []
    assert {state for name, state in states(site).items() if name in ENGINES} == {"stopped"}
    with pytest.raises(EugenieError, match="is not running") as raised:
        endpoints.kafka(site)
    assert (raised.value.hint, raised.value.exit_code) == ("eugenie up", ExitCode.UNREACHABLE)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
