"""Detached processes that outlive the command that started them and can be found again.

    start_detached("serving", [sys.executable, ...], env=minimal_env(), log=..., run_file=..., address=...)
    identify(run_file)      # Process while it is alive, None otherwise; never another process with a recycled pid
    stop(run_file)          # TERM, wait, KILL, including everything that it started

The *run file* on disk is JSON: `{"name", "pid", "create_time", "address", "log", "details"}`. The process's start time
from the kernel reveals a recycled pid. In addition, every process has the run file's path in its environment
(`MARKER`), which its children inherit. So a process whose starter died before writing the run file, and the workers
that a killed engine left behind, are found and stopped as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import write_atomically

MARKER = "EUGENIE_RUN_FILE"
"""Environment variable that ties a process, and everything that it starts, to its run file."""

KEPT_LOGS = 3
"""Number of earlier logs kept, as `<log>.1` (the latest) to `<log>.3`."""

STOP_GRACE_S = 15.0
"""From TERM to KILL. A broker flushes its segments on TERM in about 1 s; a busy one needs several."""

_CLOCK_TOLERANCE_S = 2.0
# create_time is derived from the boot time, which has whole seconds and shifts when the clock is set

_PASSED_ON = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")

_children: dict[int, subprocess.Popen[bytes]] = {}
# processes started by this interpreter, kept so that they are reaped when they die and cause no ResourceWarning


@dataclass(frozen=True)
class Process:
    """A process as its run file describes it."""

    name: str
    pid: int
    create_time: float
    address: str
    log: str
    details: dict[str, Any] = field(default_factory=dict)


def minimal_env(**extra: str) -> dict[str, str]:
    """The few variables that an engine needs, so that its start does not depend on the caller's shell.

    PATH is the system's default unless `extra` sets it. Secrets belong here or in files, never in `argv`.
    """
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**env, "PATH": os.defpath, **extra}


def start_detached(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    run_file: Path,
    address: str = "",
    cwd: Path | None = None,
    details: Mapping[str, Any] | None = None,
) -> Process:
    """Starts `argv` in its own session, with output to `log` (rotated first), and writes its run file.

    Does not wait until the process is healthy; callers do that with the engine's own health check. `address`: where
    the process will listen, in its clients' notation; `details`: JSON values for the caller to read back; `env`: the
    whole environment (see `minimal_env`). Processes that an earlier one with the same run file left behind are stopped
    first.

    Raises EugenieError when the program cannot be started, and when the run file's process is alive.
    """
    running = identify(run_file)
    if running is not None:
        raise EugenieError(f"{name} is already running (process {running.pid})", f"see {running.log}")
    stop(run_file)
    log.parent.mkdir(parents=True, exist_ok=True)
    _rotate(log)
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**env, MARKER: str(run_file.absolute())},
                cwd=cwd,
                start_new_session=True,
            )
    except OSError as error:
        hint = f"check that {argv[0]} exists and is executable"
        raise EugenieError(f"{name} cannot be started: {error}", hint) from error
    _children[child.pid] = child
    try:
        created = psutil.Process(child.pid).create_time()
    except psutil.Error:  # it has already ended, and was reaped elsewhere; its output is in its log
        created = time.time()
    process = Process(name, child.pid, created, address, str(log), dict(details or {}))
    write_run_file(run_file, process)
    return process


def identify(run_file: Path) -> Process | None:
    """The run file's process while it is alive; None without a run file, when the process ended, even if its pid was
    reused, and when the run file is a copy in a copied workspace, whose original still has the process."""
    recorded = read_run_file(run_file)
    return recorded if recorded is not None and _alive(recorded, run_file) is not None else None


def read_run_file(run_file: Path) -> Process | None:
    """The contents of the run file, whether its process is alive or not; None if it is missing or not a run file."""
    try:
        document = json.loads(run_file.read_text(encoding="utf-8"))
        return Process(**document)
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError, TypeError):
        return None


def write_run_file(run_file: Path, process: Process) -> None:
    """Writes the run file of `process`."""
    write_atomically(run_file, json.dumps(asdict(process), indent=2) + "\n")


def stop(run_file: Path, grace_s: float = STOP_GRACE_S) -> bool:
    """Ends the run file's process and everything that it started: TERM, up to `grace_s` seconds, KILL.

    Removes the run file. Returns True when anything was alive. Raises EugenieError when a process survives KILL (it
    hangs in the kernel).
    """
    recorded = read_run_file(run_file)
    leader = _alive(recorded, run_file) if recorded is not None else None
    leaders = [leader] if leader is not None else []
    survivors = _end(leaders, grace_s)
    # children after the leader: an engine would take the earlier death of a worker for a crash, and replace it
    orphans = _family(run_file)
    survivors += _end(orphans, min(grace_s, 3.0))
    if survivors:
        pids = ", ".join(str(process.pid) for process in survivors)
        raise EugenieError(
            f"processes {pids} of {run_file.stem} cannot be killed", "`ps -o pid,stat,wchan` shows what they wait for"
        )
    run_file.unlink(missing_ok=True)
    return bool(leaders or orphans)


def memory_mib(run_file: Path) -> float:
    """Resident memory of a run file's process and everything that it started, in MiB."""
    total = 0
    for process in _family(run_file):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return round(total / 2**20, 1)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message. Reads at most 64 KiB."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 65_536))
            return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _alive(recorded: Process, run_file: Path) -> psutil.Process | None:
    child = _children.get(recorded.pid)
    if child is not None and child.poll() is not None:
        del _children[recorded.pid]
    try:
        process = psutil.Process(recorded.pid)
        same = abs(process.create_time() - recorded.create_time) <= _CLOCK_TOLERANCE_S
        if not same or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return None if _belongs_elsewhere(process, run_file) else process
    except psutil.Error:
        return None


def _belongs_elsewhere(process: psutil.Process, run_file: Path) -> bool:
    """Whether the process was started with another run file, which still exists: this one is a copy."""
    try:
        started_with = process.environ().get(MARKER)
    except (psutil.AccessDenied, OSError):
        return False
    if started_with is None or started_with == str(run_file.absolute()):
        return False
    original = Path(started_with)
    return original.exists() and not original.samefile(run_file)


def _family(run_file: Path) -> list[psutil.Process]:
    """Every live process that carries the run file's marker, except this one and its ancestors."""
    mark = str(run_file.absolute())
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    family = []
    for process in psutil.process_iter():
        if process.pid in ours:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            # zombies and other users' processes have no environment to read
            if process.environ().get(MARKER) == mark and process.status() != psutil.STATUS_ZOMBIE:
                family.append(process)
    return family


def _end(processes: Sequence[psutil.Process], grace_s: float) -> list[psutil.Process]:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(list(processes), timeout=grace_s)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, survivors = psutil.wait_procs(alive, timeout=5.0)
    for pid in {process.pid for process in processes} & _children.keys():
        _children.pop(pid).poll()
    return [process for process in survivors if process.is_running()]


def _rotate(log: Path) -> None:
    if not log.exists() or log.stat().st_size == 0:
        return
    for number in range(KEPT_LOGS, 0, -1):
        older = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
