"""A Flink session cluster: a JobManager, a TaskManager and a metrics gateway, each its own process, on loopback only.

The programs come from the pip package `apache-flink` and are started with Java directly, without its shell scripts. The
Kafka connector is on the cluster's class path, so jobs do not include it.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from eugenie_cli.engines import flink_rest, pushgateway, temporary_folders
from eugenie_cli.engines.launcher import LIGHT, Engine, JavaRuntime, log_file, logging_options, run_file
from eugenie_cli.engines.ports import LOOPBACK
from eugenie_cli.engines.process import Process, minimal_env, read_run_file, start_detached
from eugenie_cli.errors import EugenieError
from eugenie_cli.files import write_atomically
from eugenie_cli.site.schema import Engines
from eugenie_cli.workspace import Workspace

JOBMANAGER = "flink-jobmanager"
TASKMANAGER = "flink-taskmanager"
METRICS = "flink-metrics"
PORTS = ("flink", "flink_rpc")
METRICS_PORTS = ("flink_metrics",)

JVMS = (JOBMANAGER, TASKMANAGER)
"""The processes that have temporary folders."""

JOBMANAGER_HEAP = "512m"
"""The JobManager also plans the SQL of submitted jobs, in its own heap."""

HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 2_000, 12_000
"""On one machine a silent process is dead: its jobs restart after 12 s instead of Flink's default of 50 s."""

UNHEARD_MS = 4 * HEARTBEAT_MS
"""After this long without a heartbeat, a TaskManager hangs or is dead, though the JobManager still counts its slots."""

BLOBS_KEPT_S = 60
"""A TaskManager keeps the files of a job that ended (82 MB: PyFlink's jar, twice) for once to twice this time, to spare
a restarted job the download; Flink's default is an hour. They come from the same disk, so a minute is enough."""

_REPORTER = "org.apache.flink.metrics.prometheus.PrometheusPushGatewayReporterFactory"
"""A plugin of the pip package. It pushes its metrics; the scraped reporter would listen on every interface."""

_RESULT = "BASH_JAVA_UTILS_EXEC_RESULT:"
_TOOL_TIMEOUT_S = 60


def home() -> Path:
    """FLINK_HOME: the installed `pyflink` package. Raises EugenieError when apache-flink is not installed."""
    spec = importlib.util.find_spec("pyflink")
    if spec is None or not spec.submodule_search_locations:
        raise EugenieError("the package apache-flink is not installed", "reinstall eugenie")
    return Path(spec.submodule_search_locations[0])


def engines(config: Engines, workspace: Workspace, ports: Mapping[str, int], runtime: JavaRuntime) -> list[Engine]:
    """The metrics gateway, the JobManager and the TaskManager, which is healthy once the JobManager hears it."""
    address = f"http://{LOOPBACK}:{ports['flink']}"
    page = f"{_gateway(ports)}{pushgateway.PAGE}"
    return [
        Engine(
            METRICS,
            run_file(workspace, METRICS),
            launch=lambda: _launch_metrics(workspace, page),
            healthy=lambda: pushgateway.is_healthy(page),
        ),
        Engine(
            JOBMANAGER,
            run_file(workspace, JOBMANAGER),
            launch=lambda: _launch_jobmanager(config, workspace, ports, runtime),
            healthy=lambda: flink_rest.overview(address) is not None,
        ),
        Engine(
            TASKMANAGER,
            run_file(workspace, TASKMANAGER),
            launch=lambda: _launch_taskmanager(config, workspace, ports, runtime),
            healthy=lambda: is_registered(address, workspace),
        ),
    ]


def settings(config: Engines, workspace: Workspace, ports: Mapping[str, int]) -> dict[str, Any]:
    """Flink's `config.yaml`. Settings of one job (checkpoint interval, restarts) are in the job itself."""
    python = sys.executable
    return {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": ports["flink_rpc"],
        "jobmanager.bind-host": LOOPBACK,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": ports["flink"],
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.numberOfTaskSlots": config.slots,
        "taskmanager.memory.process.size": config.taskmanager_memory,
        "heartbeat.interval": HEARTBEAT_MS,
        "heartbeat.timeout": HEARTBEAT_TIMEOUT_MS,
        "metrics.fetcher.update-interval": 1_000,  # maximum age of metrics on the REST API; the default is 10 s
        "metrics.reporters": "prometheus",
        "metrics.reporter.prometheus.factory.class": _REPORTER,
        "metrics.reporter.prometheus.hostUrl": _gateway(ports),
        "metrics.reporter.prometheus.interval": f"{pushgateway.PUSH_EVERY_S} SECONDS",
        "metrics.reporter.prometheus.jobName": "flink",
        "metrics.reporter.prometheus.randomJobNameSuffix": True,
        "metrics.reporter.prometheus.deleteOnShutdown": True,
        "execution.checkpointing.dir": workspace.checkpoints.absolute().as_uri(),
        "execution.checkpointing.savepoint-dir": workspace.savepoints.absolute().as_uri(),
        "blob.service.cleanup.interval": BLOBS_KEPT_S,
        "python.executable": python,
        "python.client.executable": python,
        # Kafka's clients end their threads after the job's class loader is closed, which Flink would log as an error
        "classloader.check-leaked-classloader": False,
    }


def is_registered(address: str, workspace: Workspace) -> bool:
    """True when the JobManager still hears the run file's TaskManager, not a dead or hung one that it still counts."""
    recorded = read_run_file(run_file(workspace, TASKMANAGER))
    heartbeats = flink_rest.heartbeats(address)
    if recorded is None or recorded.details.get("id") not in heartbeats:
        return False
    heard = heartbeats[recorded.details["id"]]
    return heard <= 0 or time.time() * 1000 - heard < UNHEARD_MS


def _gateway(ports: Mapping[str, int]) -> str:
    return f"http://{LOOPBACK}:{ports['flink_metrics']}"


def _configure(config: Engines, workspace: Workspace, ports: Mapping[str, int]) -> Path:
    conf = workspace.flink.absolute() / "conf"
    for folder in (workspace.checkpoints, workspace.savepoints):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomically(conf / "config.yaml", yaml.safe_dump(settings(config, workspace, ports), sort_keys=False))
    return conf


def _environment(conf: Path) -> dict[str, str]:
    root = home()
    return minimal_env(
        # the JobManager runs the Python of a submitted job, the TaskManager its workers
        PATH=os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
        FLINK_HOME=str(root),
        FLINK_CONF_DIR=str(conf),
        FLINK_LIB_DIR=str(root / "lib"),
        FLINK_OPT_DIR=str(root / "opt"),
        FLINK_BIN_DIR=str(root / "bin"),
        FLINK_PLUGINS_DIR=str(root / "plugins"),
    )


def _java(
    workspace: Workspace, conf: Path, runtime: JavaRuntime, name: str, tuning: list[str], temporary: Path
) -> list[str]:
    jars = [*sorted((home() / "lib").glob("*.jar")), *runtime.jars["flink"]]
    return [
        str(runtime.java),
        *tuning,
        "-XX:+IgnoreUnrecognizedVMOptions",
        *_package_options(),
        "-Djava.security.manager=allow",
        f"-Djava.io.tmpdir={temporary}",
        *logging_options(conf, log_file(workspace, name).absolute()),
        "-cp",
        os.pathsep.join(str(jar) for jar in jars),
    ]


def _package_options() -> list[str]:
    """The `--add-opens` and `--add-exports` options from the `config.yaml` of this Flink release."""
    shipped = yaml.safe_load((home() / "conf" / "config.yaml").read_text(encoding="utf-8"))
    return shlex.split(shipped["env"]["java"]["opts"]["all"])


def _launch_metrics(workspace: Workspace, page: str) -> Process:
    return start_detached(
        METRICS,
        [sys.executable, "-m", pushgateway.__name__, "--port", str(urlsplit(page).port)],
        env=minimal_env(),
        log=log_file(workspace, METRICS),
        run_file=run_file(workspace, METRICS),
        address=page,
    )


def _launch_jobmanager(
    config: Engines, workspace: Workspace, ports: Mapping[str, int], runtime: JavaRuntime
) -> Process:
    conf = _configure(config, workspace, ports)
    tuning = [f"-Xmx{JOBMANAGER_HEAP}", "-XX:MaxMetaspaceSize=256m", *LIGHT]
    temporary = temporary_folders.make(workspace, JOBMANAGER)
    argv = _java(workspace, conf, runtime, JOBMANAGER, tuning, temporary)
    argv += ["org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"]
    return start_detached(
        JOBMANAGER,
        [*argv, "--configDir", str(conf), "--executionMode", "cluster", *_in(temporary)],
        env=_environment(conf),
        log=log_file(workspace, JOBMANAGER),
        run_file=run_file(workspace, JOBMANAGER),
        address=f"http://{LOOPBACK}:{ports['flink']}",
        cwd=temporary,
        details={temporary_folders.DETAIL: str(temporary)},
    )


def _launch_taskmanager(
    config: Engines, workspace: Workspace, ports: Mapping[str, int], runtime: JavaRuntime
) -> Process:
    conf = _configure(config, workspace, ports)
    memory, dynamic = _memory(conf, runtime)
    temporary = temporary_folders.make(workspace, TASKMANAGER)
    argv = _java(workspace, conf, runtime, TASKMANAGER, [*memory, *LIGHT], temporary)
    argv += ["org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", str(conf), *dynamic]
    identity = f"taskmanager-{os.urandom(4).hex()}"
    return start_detached(
        TASKMANAGER,
        [*argv, "-D", f"taskmanager.resource-id={identity}", *_in(temporary)],
        env=_environment(conf),
        log=log_file(workspace, TASKMANAGER),
        run_file=run_file(workspace, TASKMANAGER),
        cwd=temporary,
        details={"id": identity, temporary_folders.DETAIL: str(temporary)},
    )


def _in(temporary: Path) -> list[str]:
    """Settings for the temporary folders of one process."""
    return ["-D", f"io.tmp.dirs={temporary}", "-D", f"web.tmpdir={temporary}"]


def _memory(conf: Path, runtime: JavaRuntime) -> tuple[list[str], list[str]]:
    """Flink's division of `taskmanager.memory.process.size`: Java options, and `-D` settings.

    Calls the tool that Flink's start scripts use. Raises EugenieError when the size cannot be divided.
    """
    jars = [home() / "bin" / "bash-java-utils.jar", *(home() / "lib").glob("flink-dist*.jar")]
    argv = [str(runtime.java), *LIGHT, "-cp", os.pathsep.join(map(str, jars))]
    argv += ["org.apache.flink.runtime.util.bash.BashJavaUtils", "GET_TM_RESOURCE_PARAMS"]
    argv += ["--configDir", str(conf)]
    env = _environment(conf)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=_TOOL_TIMEOUT_S, check=False)
    results = [line[len(_RESULT) :] for line in done.stdout.splitlines() if line.startswith(_RESULT)]
    if done.returncode != 0 or len(results) != 2:
        reason = [line for line in (done.stdout + done.stderr).splitlines() if "Exception" in line][:1]
        raise EugenieError(
            f"Flink cannot divide the TaskManager's memory: {' '.join(reason) or done.stderr.strip()}",
            "set engines.taskmanager_memory in the site file, for example 1600m",
        )
    return shlex.split(results[0]), shlex.split(results[1])
