"""The state of a site's engines, each queried in its own protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from eugenie_cli.broker import health as broker_health
from eugenie_cli.engines import endpoints, flink, flink_rest, health, kafka, mlflow, ports, process, pushgateway
from eugenie_cli.engines.launcher import log_file, run_file
from eugenie_cli.errors import EugenieError
from eugenie_cli.operations.site_engines import ENGINES_OF_PART, PARTS, SERVING, check_parts, external, needed
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import Workspace

REACHABLE, UNREACHABLE = "reachable", "unreachable"

EXTERNAL_HINT = "start it, or correct its address in the site file"
"""Hint for an external engine that does not answer."""


@dataclass(frozen=True)
class EngineStatus:
    """The current state of one engine.

    `state`: running, not answering, crashed or stopped; of an external engine, reachable or unreachable. `memory_mib`:
    resident memory in MiB, including its Python workers. `why`: the reason that it does not answer, if known; `hint`:
    what to do about it. `ok` False: the site needs the engine, and it does not answer.
    """

    name: str
    state: str
    pid: int | None
    address: str
    log: str
    memory_mib: float | None = None
    why: str = ""
    hint: str = ""
    ok: bool = True


def status(site: Site) -> list[EngineStatus]:
    """The state of every engine of the site, including its model server, queried in its own protocol.

    Kafka and Flink must be running (`ok` False otherwise), and so must the model server once the site has exported a
    model. Training writes to the local store directly, so the tracking server need not run.
    """
    workspace = workspace_of(site)
    elsewhere = external(site)
    names = [name for part in PARTS if part not in elsewhere for name in ENGINES_OF_PART[part]]
    if site.serving.address is None:
        names.append(SERVING)
    with ThreadPoolExecutor(len(names) + len(elsewhere)) as pool:
        theirs = [pool.submit(status_of_external, site, name, address) for name, address in elsewhere.items()]
        ours = pool.map(lambda name: _status_any(site, workspace, name), names)
        statuses = [*ours, *(future.result() for future in theirs)]
    return [_judged(engine_status, partial(_has_exported, site)) for engine_status in statuses]


def started(site: Site, only: Collection[str] = ()) -> dict[str, bool]:
    """The engines (of `only`, if given) that were started and not stopped since -> whether they still run.

    The order is that of their dependencies. The model server is included unless `only` is given.
    """
    check_parts(only)
    workspace = workspace_of(site)
    names = [name for part in needed(external(site), only) for name in ENGINES_OF_PART[part]]
    files = {name: run_file(workspace, name) for name in names}
    alive = {
        name: process.identify(file) is not None
        for name, file in files.items()
        if process.read_run_file(file) is not None
    }
    if site.serving.address is None and not only:
        from eugenie_cli.serving import runtime

        runs = runtime.started(site)
        alive |= {SERVING: runs} if runs is not None else {}
    return alive


def status_of_external(site: Site, name: str, address: str) -> EngineStatus:
    """Whether an external engine answers at its address."""
    hint = ""
    if name == SERVING:
        why, hint = _why_silent(site, address)
    elif name == "flink":
        why = flink_rest.why_no_flink(address)
    elif name == "mlflow":
        why = health.why_no_mlflow(address.rstrip("/")) if address.startswith("http") else ""
    else:
        why = broker_health.why_no_kafka(site.kafka_access)
    return EngineStatus(name, UNREACHABLE if why else REACHABLE, None, address, "", why=why, hint=hint)


def _judged(current: EngineStatus, has_exported: Callable[[], bool]) -> EngineStatus:
    """The status with `ok` and, if not ok, a hint. `has_exported`: whether the model server would have models."""
    if current.state == "stopped":
        is_missed = has_exported() if current.name == SERVING else current.name != mlflow.NAME
    else:
        is_missed = current.state in ("crashed", "not answering", UNREACHABLE)
    if not is_missed:
        return current
    start = endpoints.SERVE if current.name == SERVING else endpoints.START
    stop = "eugenie serve stop" if current.name == SERVING else "eugenie down"
    hint = {
        "stopped": start,
        "crashed": f"{start}; {current.log} shows why it ended",
        "not answering": f"see {current.log}; if it does not recover: `{stop}`, then `{start}`",
        UNREACHABLE: EXTERNAL_HINT,
    }[current.state]
    return replace(current, ok=False, hint=current.hint or hint)


def _has_exported(site: HasServing) -> bool:
    """Whether any model of the site has been exported, so that the server has something to serve."""
    from eugenie_cli.serving import release_config

    return any(release_config.exported(site).values())


def _status_any(site: HasServing, workspace: Workspace, name: str) -> EngineStatus:
    if name != SERVING or site.serving.runtime != endpoints.DOCKER:
        return _status(site, workspace, name)
    from eugenie_cli.serving import runtime

    try:
        server = runtime.status(site)
    except EugenieError as error:  # the Docker engine is unreachable, or the server does not report its models
        return EngineStatus(name, "not answering", None, "", "", why=error.reason, hint=error.hint or "")
    return EngineStatus(name, server.state, server.pid, server.address, server.log)


def _status(site: HasServing, workspace: Workspace, name: str) -> EngineStatus:
    file = run_file(workspace, name)
    recorded = process.read_run_file(file)
    log = str(log_file(workspace, name))
    if recorded is None:
        return EngineStatus(name, "stopped", None, "", log)
    if process.identify(file) is None:
        return EngineStatus(name, "crashed", None, recorded.address, recorded.log)
    if name == SERVING:
        why, hint = _why_silent(site, recorded.address)
        silent = bool(why)
    else:
        why, hint, silent = "", "", not _answers(workspace, name, recorded.address)
    state, memory = "not answering" if silent else "running", process.memory_mib(file)
    return EngineStatus(name, state, recorded.pid, recorded.address, recorded.log, memory, why, hint)


def _why_silent(site: HasServing, address: str) -> tuple[str, str]:
    """Why the model server does not answer, and a hint. The reason is empty when it answers; the hint may be empty."""
    from eugenie_cli.serving import tls
    from eugenie_cli.serving.health import why_not_serving

    why = why_not_serving(address, credentials=tls.credentials_of(site))
    return why, tls.hint(why, "")


def _answers(workspace: Workspace, name: str, address: str) -> bool:
    if name == kafka.NAME:
        return kafka.is_healthy(address)
    if name == mlflow.NAME:
        return mlflow.is_healthy(address)
    if name == flink.METRICS:
        return pushgateway.is_healthy(address)
    if name == flink.JOBMANAGER:
        return flink_rest.overview(address) is not None
    if name == flink.TASKMANAGER:
        recorded = process.read_run_file(run_file(workspace, flink.JOBMANAGER))
        return recorded is not None and flink.is_registered(recorded.address, workspace)
    return ports.answers(address)
