"""Processes that import and compact, to be killed: copies of one process that has loaded everything already.

A new interpreter for each takes longer than the import. The copies are forks of a process that has no threads and has
opened nothing: `python -m support.import_processes`, which is told what to do on its standard input.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
LOADED = (
    "sqlite3",
    "requests",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "adbc_driver_postgresql.dbapi",
    "asyncua",
    "eugenie_cli.history.compaction",
    "eugenie_cli.sources.importing",
    *(f"eugenie_cli.sources.{of_files}.importer" for of_files in ("csv", "json", "excel", "parquet", "kafka", "opcua")),
    *(f"eugenie_cli.sources.{of_windows}.reader" for of_windows in ("sql", "ignition", "influxdb")),
)
"""What imports load; a process without one of them loads it itself, or fails as it would."""


@dataclass(frozen=True)
class Importing:
    """A process that was started. `output`: the file of what it writes."""

    pid: int
    output: Path

    def kill(self) -> None:
        """SIGKILL; nothing happens if it has ended, since only `ImportProcesses.finish` forgets it."""
        os.kill(self.pid, signal.SIGKILL)


class ImportProcesses:
    """Starts processes that run `module.site_of(folder, workspace)`'s import. Its methods belong to one thread."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder, self._count = process, folder, 0

    def start(self, module: str, folder: Path, workspace: Path, *, file_limit: int = 0) -> Importing:
        """Begin an import. `file_limit`: bytes of the largest file that it may write; 0: any."""
        self._count += 1
        output = self._folder / f"{self._count}.txt"
        task = {"module": module, "folder": str(folder), "workspace": str(workspace), "limit": file_limit}
        return Importing(self._ask({**task, "output": str(output)}), output)

    def finish(self, running: Importing) -> tuple[int, str]:
        """(exit code, output) of a process, after its end."""
        return self._ask({"wait": running.pid}), running.output.read_text()

    def _ask(self, task: dict[str, Any]) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def import_processes(folder: Path) -> Iterator[ImportProcesses]:
    """Ready to start processes; those that still run at the end are killed. `folder`: for their output."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "support.import_processes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        yield ImportProcesses(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


def _serve() -> None:
    """Start a process, or wait for one, for each line."""
    for name in LOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    print(0, flush=True)
    running: set[int] = set()
    for line in sys.stdin:
        task = json.loads(line)
        if "wait" in task:
            _, status = os.waitpid(task["wait"], 0)
            running.discard(task["wait"])
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _become(task)
        running.add(pid)
        print(pid, flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become(task: dict[str, Any]) -> None:
    """Do the task, and end without what the process that was copied would do at its end."""
    code = 1
    try:
        output = os.open(task["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if task["limit"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (task["limit"], task["limit"]))
        from support.interrupted_imports import run

        site_of = importlib.import_module(task["module"]).site_of
        code = run(site_of(Path(task["folder"]), Path(task["workspace"])), Path(task["workspace"]))
    except BaseException:  # noqa: BLE001 - whatever it is, it is shown, and this process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
