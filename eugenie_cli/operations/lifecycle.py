"""Starts, stops and inspects the engines of a site, from any initial state.

`up` starts all missing engines that the site needs at once, and waits until each answers. It does not touch running
engines; an early end (an error, Ctrl-C) stops only the engines that this call started.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from eugenie_cli import signals
from eugenie_cli.broker import health as broker_health
from eugenie_cli.engines import (
    endpoints,
    flink,
    flink_rest,
    health,
    jars,
    kafka,
    mlflow,
    ports,
    process,
    pushgateway,
    temporary_folders,
)
from eugenie_cli.engines.java import java
from eugenie_cli.engines.launcher import LOCK, Engine, JavaRuntime, log_file, run_file
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import alone
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import Workspace

SERVING = "serving"

REACHABLE, UNREACHABLE = "reachable", "unreachable"

ELSEWHERE = "start it, or correct its address in the site file"
"""Hint for an external engine that does not answer."""

PARTS = ("kafka", "flink", "mlflow")
"""The parts to which `up` can be limited. `flink` is three processes."""

READY_WITHIN_S = 180.0
"""Generous: an engine that ends is noticed at once, and a machine with a load of 10 needed 60 s."""

_POLL_S = 0.1


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


def up(site: Site, progress: Progress = SILENT, only: Collection[str] = ()) -> list[EngineStatus]:
    """Starts the engines that the site file declares embedded or local (of `only`, if given), and waits for them.

    Raises EugenieError when an engine does not start (with the end of its log) or does not answer within
    READY_WITHIN_S, and when an external engine of the site file does not answer (UNREACHABLE).
    """
    _check_parts(only)
    workspace = workspace_of(site)
    with alone(workspace.run / LOCK):
        for name, address in external(site, only).items():
            current = _status_of_external(site, name, address)
            if current.state != REACHABLE:
                why = f": {current.why}" if current.why else ""
                raise EugenieError(
                    f"{name} does not answer at {address}{why}", current.hint or ELSEWHERE, ExitCode.UNREACHABLE
                )
        engines = _engines(site, workspace, needed(external(site), only), progress)
        dead = [engine for engine in engines if process.identify(engine.run_file) is None]
        temporary_folders.sweep_all(workspace, flink.JVMS)
        with signals.interrupting():
            _bring_up(engines, dead, progress)
    return status(site)


def down(site: HasServing, progress: Progress = SILENT) -> list[str]:
    """Stops every engine of the site, including its model server. Returns the names of those that were running."""
    workspace = workspace_of(site)
    with alone(workspace.run / LOCK):
        jobs = _jobs(workspace)
        if jobs:
            progress.say(f"stopping without a savepoint: {', '.join(jobs)} (`eugenie stream stop` takes one)")
        # the broker last: its writers can end in good order only while it runs
        first = [SERVING, flink.TASKMANAGER, flink.JOBMANAGER, flink.METRICS, mlflow.NAME]
        try:
            with ThreadPoolExecutor(len(first)) as pool:
                stopped = list(pool.map(lambda name: _stop_any(site, workspace, name, progress), first))
        finally:  # stop the broker even if another cannot be stopped (a container whose Docker engine is unreachable)
            last = _stop(workspace, kafka.NAME, progress)
        temporary_folders.sweep_all(workspace, flink.JVMS)
    return [name for name, ran in zip([*first, kafka.NAME], [*stopped, last], strict=True) if ran]


def status(site: Site) -> list[EngineStatus]:
    """The state of every engine of the site, including its model server, queried in its own protocol.

    Kafka and Flink must be running (`ok` False otherwise), and so must the model server once the site has exported a
    model. Training writes to the local store directly, so the tracking server need not run.
    """
    workspace = workspace_of(site)
    elsewhere = external(site)
    names = [name for part in PARTS if part not in elsewhere for name in _NAMES[part]]
    if site.serving.address is None:
        names.append(SERVING)
    with ThreadPoolExecutor(len(names) + len(elsewhere)) as pool:
        theirs = [pool.submit(_status_of_external, site, name, address) for name, address in elsewhere.items()]
        ours = pool.map(lambda name: _status_any(site, workspace, name), names)
        statuses = [*ours, *(future.result() for future in theirs)]
    return [_judged(engine_status, partial(_has_exported, site)) for engine_status in statuses]


def started(site: Site, only: Collection[str] = ()) -> dict[str, bool]:
    """The engines (of `only`, if given) that were started and not stopped since -> whether they still run.

    The order is that of their dependencies. The model server is included unless `only` is given.
    """
    _check_parts(only)
    workspace = workspace_of(site)
    names = [name for part in needed(external(site), only) for name in _NAMES[part]]
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


def settled(workspace: Workspace) -> None:
    """Waits until no `up` or `down` of the site is in progress."""
    with alone(workspace.run / LOCK):
        pass


def revive(site: Site, name: str, progress: Progress = SILENT) -> bool:
    """Launches a dead engine of PARTS at its old address, without waiting until it answers.

    Returns False when it runs, or has been stopped in the meantime. Raises EugenieError when it cannot be launched; it
    then still counts as started, so that the launch can be repeated.
    """
    workspace = workspace_of(site)
    (part,) = (part for part, names in _NAMES.items() if name in names)
    file = run_file(workspace, name)
    with alone(workspace.run / LOCK):
        before = process.read_run_file(file)
        if before is None or process.identify(file) is not None:
            return False
        try:
            engines = _engines(site, workspace, [part], progress)
            next(engine for engine in engines if engine.name == name).launch()
        except BaseException:
            if process.identify(file) is None:
                process.write_run_file(file, before)
            raise
    return True


_NAMES = {
    "kafka": (kafka.NAME,),
    "flink": (flink.JOBMANAGER, flink.TASKMANAGER, flink.METRICS),
    "mlflow": (mlflow.NAME,),
}


# -- what a site needs ------------------------------------------------------------------------------------


def external(site: Site, only: Collection[str] = ()) -> dict[str, str]:
    """The external engines (of `only`, if given) -> their addresses from the site file."""
    addresses = {}
    if site.kafka.bootstrap != endpoints.EMBEDDED:
        addresses["kafka"] = site.kafka.bootstrap
    if site.stream.flink != endpoints.EMBEDDED:
        addresses["flink"] = site.stream.flink.rstrip("/")
    if site.tracking.uri != endpoints.LOCAL:
        addresses["mlflow"] = site.tracking.uri
    if site.serving.address is not None and not only:
        addresses[SERVING] = site.serving.address
    return {name: address for name, address in addresses.items() if not only or name in only}


def needed(external: Collection[str], only: Collection[str] = ()) -> list[str]:
    """The parts (of `only`, if given) that eugenie runs itself: all but the `external` ones."""
    return [part for part in PARTS if part not in external and (not only or part in only)]


def _status_of_external(site: Site, name: str, address: str) -> EngineStatus:
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
        UNREACHABLE: ELSEWHERE,
    }[current.state]
    return replace(current, ok=False, hint=current.hint or hint)


def _has_exported(site: HasServing) -> bool:
    """Whether any model of the site has been exported, so that the server has something to serve."""
    from eugenie_cli.serving import release_config

    return any(release_config.exported(site).values())


def _engines(site: Site, workspace: Workspace, parts: Sequence[str], progress: Progress) -> list[Engine]:
    """The engines of `parts`, ready to be launched, with jars and ports."""
    configured = {
        "kafka": site.engines.kafka_port,
        "flink": site.engines.flink_port,
        "mlflow": site.engines.mlflow_port,
    }
    owners = {
        kafka.NAME: kafka.PORTS,
        flink.JOBMANAGER: flink.PORTS,
        flink.METRICS: flink.METRICS_PORTS,
        mlflow.NAME: mlflow.PORTS,
    }
    alive = [name for name in owners if process.identify(run_file(workspace, name)) is not None]
    port_names = [port for part in parts for name in _NAMES[part] for port in owners.get(name, ())]
    chosen = ports.assign(
        workspace.run / "ports.json",
        {port: configured.get(port, 0) for port in port_names},
        in_use=[port for name in alive for port in owners[name]],
    )
    roles = [part for part in parts if part in ("kafka", "flink")]
    runtime = JavaRuntime(java(), jars.provide(roles, jars.folder_of(site), progress))
    engines: list[Engine] = []
    for part in parts:
        if part == "mlflow":
            engines.append(mlflow.engine(workspace, chosen))
        elif part == "kafka":
            engines.append(kafka.engine(site.engines, workspace, chosen, runtime))
        else:
            engines.extend(flink.engines(site.engines, workspace, chosen, runtime))
    return engines


# -- starting ---------------------------------------------------------------------------------------------


def _bring_up(engines: Sequence[Engine], dead: Sequence[Engine], progress: Progress) -> None:
    if not engines:
        return
    cancelled = threading.Event()
    started = list(dead)
    label = f"starting {', '.join(engine.name for engine in dead)}" if dead else "all engines are already running"
    pool = ThreadPoolExecutor(len(engines))
    with progress.task(label, total=len(engines), unit="engines") as advance, pool:
        waiting = [pool.submit(_start, engine, started, cancelled) for engine in engines]
        try:
            _report(waiting, advance)
        except BaseException:
            cancelled.set()
            wait(waiting)
            list(pool.map(lambda engine: process.stop(engine.run_file), started))
            raise


def _report(waiting: Collection[Future[None]], advance: Callable[[float], None]) -> None:
    pending = set(waiting)
    while pending:
        # a short time-out, because signals are handled only between two waits
        done, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
            advance(1)


def _start(engine: Engine, started: list[Engine], cancelled: threading.Event) -> None:
    """Waits until the engine answers. Launches it first if it is in `started`; also launches a running engine that ends
    meanwhile, and adds it to `started`."""
    if engine in started:
        engine.launch()
    deadline = time.monotonic() + READY_WITHIN_S
    while not cancelled.is_set():
        running = process.identify(engine.run_file)
        if running is None and engine not in started:  # was killed just before, and has now ended
            started.append(engine)
            engine.launch()
            continue
        if running is None:
            recorded = process.read_run_file(engine.run_file)
            log = recorded.log if recorded is not None else "its log"
            raise EugenieError(f"{engine.name} ended while starting:\n{_end_of(recorded)}", f"see {log}")
        if engine.healthy():
            return
        if time.monotonic() > deadline:
            late = f"{engine.name} does not answer after {READY_WITHIN_S:.0f} s"
            raise EugenieError(f"{late}:\n{_end_of(running)}", f"see {running.log}; `eugenie down` stops it")
        time.sleep(_POLL_S)


def _end_of(recorded: process.Process | None) -> str:
    return process.tail(Path(recorded.log)) if recorded is not None else ""


# -- stopping and inspecting ------------------------------------------------------------------------------


def _stop(workspace: Workspace, name: str, progress: Progress) -> bool:
    ran = process.stop(run_file(workspace, name))
    if ran:
        progress.say(f"stopped {name}")
    return ran


def _stop_any(site: HasServing, workspace: Workspace, name: str, progress: Progress) -> bool:
    """Stops an engine, or the model server through its runtime."""
    if name != SERVING:
        return _stop(workspace, name, progress)
    from eugenie_cli.serving import runtime

    ran = runtime.end(site)
    if ran:
        progress.say(f"stopped {name}")
    return ran


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


def _jobs(workspace: Workspace) -> list[str]:
    running = process.identify(run_file(workspace, flink.JOBMANAGER))
    return flink_rest.running_jobs(running.address) if running is not None else []


# -- checking arguments -----------------------------------------------------------------------------------


def _check_parts(only: Collection[str]) -> None:
    unknown = [part for part in only if part not in PARTS]
    if unknown:
        hint = f"choose from {', '.join(PARTS)}"
        raise EugenieError(f"unknown engine: {', '.join(unknown)}", hint, ExitCode.USAGE)
