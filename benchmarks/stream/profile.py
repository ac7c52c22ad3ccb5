"""Where the Python worker's CPU time goes, operator by operator.

All operators of the worker share one process, and its threads take turns: only stacks distinguish them. py-spy samples
them from outside, ten times a second and without stopping the process; without py-spy the worker is one figure.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import child_process
from eugenie_cli.progress import Progress

RATE = 10
WARM_CPU_S = 8.0
"""CPU seconds of the worker before sampling starts: imports and the first bundles are over."""

POLL_S = 0.5
FRAMEWORK = "pyflink and beam"

_OURS = re.compile(r"eugenie_cli/(flink_job/\w+|tfserving/client)\.py")


class Profile:
    """Stacks of the worker that `busiest` returns, sampled from when it is warm until the `with` block ends.

    `busiest` returns the process with the most CPU time and that time in seconds, or None if there is none.
    """

    def __init__(self, busiest: Callable[[], tuple[int, float] | None], progress: Progress) -> None:
        self._busiest = busiest
        self._progress = progress
        self._program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
        if self._program is None:
            progress.say("py-spy is not installed: the Python worker is not broken down by operator")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="profile", daemon=True)
        self.shares: dict[str, float] = {}
        """Share of the worker's CPU time by operator; empty if nothing was sampled."""

    def __enter__(self) -> Profile:
        if self._program is not None:
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            worker = self._busiest()
            if worker is not None and worker[1] >= WARM_CPU_S:
                self.shares = self._record(worker[0])
                return

    def _record(self, process: int) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            stacks = Path(folder) / "stacks"
            argv = [str(self._program), "record", "--pid", str(process), "--rate", str(RATE), "--nonblocking"]
            argv += ["--duration", "unlimited", "--format", "raw", "--full-filenames", "--output", str(stacks)]
            try:
                with child_process.running(
                    "py-spy", argv, ended_by=signal.SIGINT, echo=False, stdout=subprocess.DEVNULL
                ) as recorder:
                    while not self._stop.wait(POLL_S):
                        recorder.check()
            except child_process.DeadProcessError as died:  # the figures omit it, as if it were not installed
                self._progress.say(f"the breakdown of the Python worker by operator is incomplete: {died}")
            return shares(stacks.read_text(encoding="utf-8")) if stacks.exists() else {}


def shares(stacks: str) -> dict[str, float]:
    """Lines of `frame;frame;frame count`, outermost first -> share of each operator, by its module's name.

    If a stack contains several of our modules, the outermost is the operator; the others work for it.
    """
    counts: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        ours = _OURS.search(frames)
        counts[Path(ours[1]).name if ours else FRAMEWORK] += int(count)
    total = counts.total()
    return {name: count / total for name, count in counts.items()}
