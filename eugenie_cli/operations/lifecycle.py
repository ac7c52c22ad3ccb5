"""Start, stop and look at the engines of a site: make it so, whatever was there before.

`up` starts what the site needs and lacks, all at once, and waits until each answers. It changes nothing
that runs; what ends it early (an error, Ctrl-C) ends what this call started, and nothing else.
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
"""What to do about an engine that is not eugenie's and does not answer."""

"""In the run folder: one `up` or `down` of a site at a time."""

PARTS = ("kafka", "flink", "mlflow")
"""What `up` can be limited to. `flink` is three processes."""

READY_WITHIN_S = 180.0
"""Generous: an engine that ends is noticed at once, and a machine with a load of 10 needed 60 s."""

_POLL_S = 0.1


@dataclass(frozen=True)
class EngineStatus:
    """One engine as it is now.

    `state`: running, not answering, crashed, stopped; of one that is not eugenie's, reachable or unreachable.
    `memory_mib` is resident memory in MiB, that of its Python workers included. `why`: what keeps it from answering, as
    far as it is known, and `hint`: what to do about it. `ok` False: the site needs it, and it does not answer.
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
    """Start the engines that the site file calls embedded or local (of `only`, if given), and wait for them.

    Raises EugenieError when an engine does not start (with the end of its log) or does not answer within
    READY_WITHIN_S, and when an external engine of the site file does not answer (UNREACHABLE).
    """
    _check_parts(only)
    workspace = workspace_of(site)
    with alone(workspace.run / LOCK):
        for name, address in external(site, only).items():
            found = _status_of_external(site, name, address)
            if found.state != REACHABLE:
                why = f": {found.why}" if found.why else ""
                raise EugenieError(
                    f"{name} does not answer at {address}{why}", found.hint or ELSEWHERE, ExitCode.UNREACHABLE
                )
        engines = _engines(site, workspace, needed(external(site), only), progress)
        dead = [engine for engine in engines if process.identify(engine.run_file) is None]
        temporary_folders.sweep_all(workspace, flink.JVMS)
        with signals.interrupting():
            _bring_up(engines, dead, progress)
    return status(site)


def down(site: HasServing, progress: Progress = SILENT) -> list[str]:
    """Stop every engine of the site, its model server too. Returns the names of what ran."""
    workspace = workspace_of(site)
    with alone(workspace.run / LOCK):
        jobs = _jobs(workspace)
        if jobs:
            progress.say(f"ending without a savepoint: {', '.join(jobs)} (`eugenie stream stop` takes one)")
        # the broker last: what writes to it ends in good order only while it is there
        first = [SERVING, flink.TASKMANAGER, flink.JOBMANAGER, flink.METRICS, mlflow.NAME]
        try:
            with ThreadPoolExecutor(len(first)) as pool:
                stopped = list(pool.map(lambda name: _stop_any(site, workspace, name, progress), first))
        finally:  # one that cannot be stopped (a container whose engine is away) is no reason to leave the broker
            last = _stop(workspace, kafka.NAME, progress)
        temporary_folders.sweep_all(workspace, flink.JVMS)
    return [name for name, ran in zip([*first, kafka.NAME], [*stopped, last], strict=True) if ran]


def status(site: Site) -> list[EngineStatus]:
    """Every engine of the site, its model server included, and how each answers now, in its own protocol.

    One that was not started is missed (`ok` False) when it is Kafka or Flink, or the model server of a site that has
    exported a model. Training writes into the local store itself, so a tracking server need not run.
    """
    workspace = workspace_of(site)
    elsewhere = external(site)
    names = [name for part in PARTS if part not in elsewhere for name in _NAMES[part]]
    if site.serving.address is None:
        names.append(SERVING)
    with ThreadPoolExecutor(len(names) + len(elsewhere)) as pool:
        theirs = [pool.submit(_status_of_external, site, *each) for each in elsewhere.items()]
        ours = pool.map(lambda name: _status_any(site, workspace, name), names)
        found = [*ours, *(each.result() for each in theirs)]
    return [_judged(each, partial(_has_exported, site)) for each in found]


def started(site: Site, only: Collection[str] = ()) -> dict[str, bool]:
    """The engines (of `only`, if given) that were started and not stopped since; False: it died.

    In the order in which one needs the other. The model server belongs to them unless `only` is given.
    """
    _check_parts(only)
    workspace = workspace_of(site)
    names = [name for part in needed(external(site), only) for name in _NAMES[part]]
    files = {name: run_file(workspace, name) for name in names}
    found = {
        name: process.identify(file) is not None
        for name, file in files.items()
        if process.read_run_file(file) is not None
    }
    if site.serving.address is None and not only:
        from eugenie_cli.serving import runtime

        runs = runtime.started(site)
        found |= {SERVING: runs} if runs is not None else {}
    return found


def settled(workspace: Workspace) -> None:
    """Wait until no `up` or `down` of the site is under way."""
    with alone(workspace.run / LOCK):
        pass


def revive(site: Site, name: str, progress: Progress = SILENT) -> bool:
    """Launch an engine of PARTS that died, at the address that it had, and do not wait until it answers.

    False when it runs, or was stopped meanwhile. Raises EugenieError when it cannot be launched; it still counts as
    started then, so that it can be tried again.
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
    """The engines (of `only`, if given) that are not eugenie's, and their addresses, as the site file has them."""
    given = {}
    if site.kafka.bootstrap != endpoints.EMBEDDED:
        given["kafka"] = site.kafka.bootstrap
    if site.stream.flink != endpoints.EMBEDDED:
        given["flink"] = site.stream.flink.rstrip("/")
    if site.tracking.uri != endpoints.LOCAL:
        given["mlflow"] = site.tracking.uri
    if site.serving.address is not None and not only:
        given[SERVING] = site.serving.address
    return {name: address for name, address in given.items() if not only or name in only}


def needed(external: Collection[str], only: Collection[str] = ()) -> list[str]:
    """The parts (of `only`, if given) that the site file leaves to eugenie: all that are not `external`."""
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
        why = broker_health.why_no_kafka(site)
    return EngineStatus(name, UNREACHABLE if why else REACHABLE, None, address, "", why=why, hint=hint)


def _judged(found: EngineStatus, has_exported: Callable[[], bool]) -> EngineStatus:
    """With `ok`, and with what to do where it is not. `has_exported`: a model server of the site would have work."""
    if found.state == "stopped":
        is_missed = has_exported() if found.name == SERVING else found.name != mlflow.NAME
    else:
        is_missed = found.state in ("crashed", "not answering", UNREACHABLE)
    if not is_missed:
        return found
    start = endpoints.SERVE if found.name == SERVING else endpoints.START
    stop = "eugenie serve stop" if found.name == SERVING else "eugenie down"
    hint = {
        "stopped": start,
        "crashed": f"{start}; it ended, {found.log} says why",
        "not answering": f"see {found.log}; if it stays so: `{stop}`, then `{start}`",
        UNREACHABLE: ELSEWHERE,
    }[found.state]
    return replace(found, ok=False, hint=found.hint or hint)


def _has_exported(site: HasServing) -> bool:
    """Whether a model of the site was exported, which its server is there for."""
    from eugenie_cli.serving import release_config

    return any(release_config.exported(site).values())


def _engines(site: Site, workspace: Workspace, parts: Sequence[str], progress: Progress) -> list[Engine]:
    """The engines of `parts`, ready to be launched: jars at hand, ports chosen."""
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
    wanted = [port for part in parts for name in _NAMES[part] for port in owners.get(name, ())]
    chosen = ports.assign(
        workspace.run / "ports.json",
        {port: configured.get(port, 0) for port in wanted},
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
    label = f"starting {', '.join(engine.name for engine in dead)}" if dead else "all engines run already"
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
    left = set(waiting)
    while left:
        # a short time-out: a signal is only heard between two waits
        done, left = wait(left, timeout=0.5, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
            advance(1)


def _start(engine: Engine, started: list[Engine], cancelled: threading.Event) -> None:
    """Waits until it answers; launches it if it is in `started`, or ends meanwhile: then it is added there."""
    if engine in started:
        engine.launch()
    deadline = time.monotonic() + READY_WITHIN_S
    while not cancelled.is_set():
        running = process.identify(engine.run_file)
        if running is None and engine not in started:  # killed a moment ago, it takes as long to be gone
            started.append(engine)
            engine.launch()
            continue
        if running is None:
            recorded = process.read_run_file(engine.run_file)
            log = recorded.log if recorded is not None else "its log"
            raise EugenieError(f"{engine.name} ended while it started:\n{_end_of(recorded)}", f"see {log}")
        if engine.healthy():
            return
        if time.monotonic() > deadline:
            late = f"{engine.name} does not answer after {READY_WITHIN_S:.0f} s"
            raise EugenieError(f"{late}:\n{_end_of(running)}", f"see {running.log}; `eugenie down` ends it")
        time.sleep(_POLL_S)


def _end_of(recorded: process.Process | None) -> str:
    return process.tail(Path(recorded.log)) if recorded is not None else ""


# -- stopping and looking ---------------------------------------------------------------------------------


def _stop(workspace: Workspace, name: str, progress: Progress) -> bool:
    ran = process.stop(run_file(workspace, name))
    if ran:
        progress.say(f"stopped {name}")
    return ran


def _stop_any(site: HasServing, workspace: Workspace, name: str, progress: Progress) -> bool:
    """An engine, or the model server, which its runtime stops."""
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
        found = runtime.status(site)
    except EugenieError as error:  # the engine is away, or the server does not tell its models
        return EngineStatus(name, "not answering", None, "", "", why=error.reason, hint=error.hint or "")
    return EngineStatus(name, found.state, found.pid, found.address, found.log)


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
    """What keeps the model server from answering, and what to do about it; empty: nothing, nothing in particular."""
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


# -- one at a time, and interrupted well --------------------------------------------------------------------


def _check_parts(only: Collection[str]) -> None:
    unknown = [part for part in only if part not in PARTS]
    if unknown:
        hint = f"choose from {', '.join(PARTS)}"
        raise EugenieError(f"no engine is named {', '.join(unknown)}", hint, ExitCode.USAGE)
