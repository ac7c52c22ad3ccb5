"""A single-node Apache Kafka broker in KRaft mode: broker and controller in one process, on loopback."""

from __future__ import annotations

import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.engines.health import ASK_S
from eugenie_cli.engines.launcher import LIGHT, Engine, JavaRuntime, log_file, logging_options, run_file
from eugenie_cli.engines.ports import LOOPBACK, answers
from eugenie_cli.engines.process import MARKER, Process, minimal_env, start_detached, tail
from eugenie_cli.errors import EugenieError
from eugenie_cli.files import write_atomically
from eugenie_cli.site.schema import Engines
from eugenie_cli.workspace import Workspace

NAME = "kafka"
PORTS = ("kafka", "kafka_controller")

FORMAT_TIMEOUT_S = 120


def engine(config: Engines, workspace: Workspace, ports: Mapping[str, int], runtime: JavaRuntime) -> Engine:
    """The site's broker. Its data stay in `workspace.kafka` across restarts."""
    address = f"{LOOPBACK}:{ports['kafka']}"
    return Engine(
        NAME,
        run_file(workspace, NAME),
        launch=lambda: _launch(config, workspace, ports, runtime),
        healthy=lambda: is_healthy(address),
    )


def server_properties(data: Path, ports: Mapping[str, int]) -> str:
    """The broker's settings. With one node, internal topics have a single replica, which counts as in sync."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports['kafka_controller']}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{ports['kafka']},CONTROLLER://{LOOPBACK}:{ports['kafka_controller']}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{ports['kafka']}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # the longest that Flink's exactly-once sink may request: a transaction must outlive a night without the job
        "transaction.max.timeout.ms": 24 * 3_600_000,
        # a site's consumer group has few members, so waiting for more would only delay the first record
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def is_healthy(address: str) -> bool:
    """True when the broker at `host:port` answers a metadata request with at least one broker."""
    if not answers(address):
        return False
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    # log_level 0: librdkafka prints refused connections on stderr while the broker starts
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0, "socket.timeout.ms": int(ASK_S * 1000)})
    try:
        return len(admin.list_topics(timeout=ASK_S).brokers) > 0
    except KafkaException:
        return False


def _launch(config: Engines, workspace: Workspace, ports: Mapping[str, int], runtime: JavaRuntime) -> Process:
    data, log = workspace.kafka / "data", log_file(workspace, NAME)
    settings = workspace.kafka / "server.properties"
    write_atomically(settings, server_properties(data, ports))
    program = [
        str(runtime.java),
        *logging_options(workspace.kafka, log),
        "-cp",
        os.pathsep.join(str(jar) for jar in runtime.jars["kafka"]),
    ]
    if not (data / "meta.properties").exists():
        _format(program, settings, workspace)
    tuning = [f"-Xmx{config.kafka_heap}", *LIGHT]
    return start_detached(
        NAME,
        [program[0], *tuning, *program[1:], "kafka.Kafka", str(settings)],
        env=minimal_env(),
        log=log,
        run_file=run_file(workspace, NAME),
        address=f"{LOOPBACK}:{ports['kafka']}",
        cwd=workspace.kafka,
    )


def cluster_id() -> str:
    """A new id in Kafka's form, 128 random bits in base64; never with a leading dash, which would be an option."""
    while (identity := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return identity


def _format(program: list[str], settings: Path, workspace: Workspace) -> None:
    """Gives the data folder its cluster id and metadata version. The next start repeats an interrupted format."""
    argv = [program[0], *LIGHT, *program[1:], "kafka.tools.StorageTool"]
    argv += ["format", "--ignore-formatted", "--cluster-id", cluster_id(), "--config", str(settings)]
    env = minimal_env(**{MARKER: str(run_file(workspace, NAME).absolute())})
    done = subprocess.run(
        argv, env=env, capture_output=True, text=True, timeout=FORMAT_TIMEOUT_S, check=False, start_new_session=True
    )
    if done.returncode != 0:
        output = done.stderr.strip() or done.stdout.strip() or tail(log_file(workspace, NAME))
        raise EugenieError(f"Kafka's storage tool failed: {output}", f"check {settings}")
