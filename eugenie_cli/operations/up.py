"""Starts the engines of a site from any initial state: all that are missing (`up`), or one that died (`revive`).

`up` starts all missing engines that the site needs at once, and waits until each answers. It does not touch running
engines; an early end (an error, Ctrl-C) stops only the engines that this call started.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from eugenie_cli import signals
from eugenie_cli.engines import flink, jars, kafka, mlflow, ports, process, temporary_folders
from eugenie_cli.engines.java import java
from eugenie_cli.engines.launcher import LOCK, Engine, JavaRuntime, run_file
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import exclusive
from eugenie_cli.operations.site_engines import ENGINES_OF_PART, check_parts, external, needed
from eugenie_cli.operations.status import EXTERNAL_HINT, REACHABLE, EngineStatus, status, status_of_external
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import Workspace

READY_WITHIN_S = 180.0
"""Generous: an engine that ends is noticed at once, and a machine with a load of 10 needed 60 s."""

_POLL_S = 0.1


def up(site: Site, progress: Progress = SILENT, only: Collection[str] = ()) -> list[EngineStatus]:
    """Starts the engines that the site file declares embedded or local (of `only`, if given), and waits for them.

    Raises EugenieError when an engine does not start (with the end of its log) or does not answer within
    READY_WITHIN_S, and when an external engine of the site file does not answer (UNREACHABLE).
    """
    check_parts(only)
    workspace = workspace_of(site)
    with exclusive(workspace.run / LOCK):
        for name, address in external(site, only).items():
            current = status_of_external(site, name, address)
            if current.state != REACHABLE:
                why = f": {current.why}" if current.why else ""
                raise EugenieError(
                    f"{name} does not answer at {address}{why}", current.hint or EXTERNAL_HINT, ExitCode.UNREACHABLE
                )
        engines = _engines(site, workspace, needed(external(site), only), progress)
        dead = [engine for engine in engines if process.identify(engine.run_file) is None]
        temporary_folders.sweep_all(workspace, flink.JVMS)
        with signals.interrupting():
            _bring_up(engines, dead, progress)
    return status(site)


def revive(site: Site, name: str, progress: Progress = SILENT) -> bool:
    """Launches a dead engine of PARTS at its old address, without waiting until it answers.

    Returns False when it runs, or has been stopped in the meantime. Raises EugenieError when it cannot be launched; it
    then still counts as started, so that the launch can be repeated.
    """
    workspace = workspace_of(site)
    (part,) = (part for part, names in ENGINES_OF_PART.items() if name in names)
    file = run_file(workspace, name)
    with exclusive(workspace.run / LOCK):
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
    port_names = [port for part in parts for name in ENGINES_OF_PART[part] for port in owners.get(name, ())]
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
