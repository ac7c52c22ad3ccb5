"""Keeps a site running: restarts engines that die, and resubmits a stream job that its cluster has lost.

`keep` stays in the foreground, as systemd and containers require. Anything stopped on purpose stays stopped. A dead
engine still has its run file, which `eugenie down` and `eugenie serve stop` remove; a lost job still has an open
record, which `eugenie stream stop` closes.

The supervisor never waits for one engine while another may need it: it launches engines and checks them in the next
round, and runs slower actions (the model server, a submission) in their own threads.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from eugenie_cli import signals
from eugenie_cli.engines import endpoints, flink_rest
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import refusing
from eugenie_cli.operations.down import down, wait_until_settled
from eugenie_cli.operations.site_engines import SERVING
from eugenie_cli.operations.status import started
from eugenie_cli.operations.up import revive
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import Workspace

POLL_S = 1.0
"""Interval between rounds: a death is noticed within this time."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Pauses between attempts on the same engine, doubled each time. The first attempt follows at once."""

STEADY_S = 60.0
"""An engine that has run for this long counts as recovered: it is restarted at once after its next death."""

CONFIRMED = 3
"""Consecutive rounds in which a job must be missing: while a job ends, its cluster may have forgotten it before `stop`
has recorded the end."""

JOB = "stream job"
"""The job's name among those of the engines."""


def keep(site: Site, progress: Progress = SILENT, only: Collection[str] = (), down_on_exit: bool = False) -> None:
    """Supervises until INT, TERM or HUP, or until another command has stopped all engines; see `Supervisor`.

    The engines keep running afterwards, unless `down_on_exit`. Raises EugenieError when the site is already supervised.
    """
    with _only_one(workspace_of(site)), signals.stop_event() as stop:
        names = ", ".join(started(site, only)) or "no engines"
        progress.say(f"supervising {names}; Ctrl-C stops supervising")
        Supervisor(site, progress, only).run(stop)
    if down_on_exit:
        down(site, progress)


@dataclass
class Backoff:
    """When the next attempt may follow: at once, then after ever longer pauses."""

    attempts: int = 0
    last: float = 0.0

    @property
    def pause_s(self) -> float:
        """The pause after the last attempt."""
        return pause_s(self.attempts, FIRST_PAUSE_S, LONGEST_PAUSE_S)

    def is_due(self, now: float) -> bool:
        """True when the next attempt may be made at `now` (seconds of a monotonic clock)."""
        if self.attempts and now - self.last >= STEADY_S + self.pause_s:
            self.attempts = 0
        return not self.attempts or now - self.last >= self.pause_s

    def tried(self, now: float) -> None:
        self.attempts += 1
        self.last = now


class Supervisor:
    """Supervises the engines of a site (of `only`, if given) and, unless `only` omits Flink, its stream job.

    `revived` counts the restarts of each engine; those of the job are counted as `JOB`.
    """

    def __init__(self, site: Site, progress: Progress = SILENT, only: Collection[str] = ()) -> None:
        self._site = site
        self._progress = progress
        self._only = tuple(only)
        self._backoffs: dict[str, Backoff] = {}
        self._busy: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self._missing = 0
        self.revived: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Repeats `look` until `stop` is set or no engine is left to supervise."""
        while self.look() and not stop.wait(POLL_S):
            pass

    def look(self) -> bool:
        """Runs one round; returns False when every engine was stopped, so that none is left to supervise."""
        engines = started(self._site, self._only)
        if not engines:
            self._progress.say("all engines were stopped: nothing left to supervise")
            return False
        for name in (name for name, runs in engines.items() if not runs):
            if name == SERVING:
                self._attempt(name, "died", self._start_server, waits=True)
            else:
                self._attempt(name, "died", partial(revive, self._site, name))
        if not self._only or "flink" in self._only:
            self._missing = self._missing + 1 if self._job_is_missing() else 0
            if self._missing >= CONFIRMED:
                self._attempt(JOB, "is not on the cluster", self._submit, waits=True)
        return True

    def _attempt(self, name: str, what: str, act: Callable[[], bool], waits: bool = False) -> None:
        """Runs `act`, now or in its own thread, unless it is in progress or its pause has not passed."""
        backoff = self._backoffs.setdefault(name, Backoff())
        if name in self._busy or not backoff.is_due(time.monotonic()):
            return
        backoff.tried(time.monotonic())
        attempt = f" (attempt {backoff.attempts})" if backoff.attempts > 1 else ""
        self._progress.say(f"{name} {what}: restarting it{attempt}")
        if not waits:
            self._do(name, act)
            return
        self._busy[name] = threading.Thread(target=self._do, args=(name, act), name=f"keep {name}", daemon=True)
        self._busy[name].start()

    def _do(self, name: str, act: Callable[[], bool]) -> None:
        try:
            if act():
                self.revived[name] += 1
        except EugenieError as error:
            hint = f"; {error.hint}" if error.hint else ""
            self._progress.say(f"cannot start {name}: {error.reason}{hint}")
        finally:
            self._backoffs[name].last = time.monotonic()
            self._busy.pop(name, None)

    def _start_server(self) -> bool:
        from eugenie_cli.serving import runtime

        wait_until_settled(workspace_of(self._site))  # an unfinished `down` may have stopped it
        return runtime.revive(self._site)

    def _job_is_missing(self) -> bool:
        """True when the last job was not stopped, and a cluster that could run it does not know it."""
        from eugenie_cli.engines import job_record
        from eugenie_cli.engines.flink_rest import ENDED_ON_PURPOSE, FlinkRest
        from eugenie_cli.streaming import launch
        from eugenie_cli.streaming.job import running_job

        last = job_record.load(workspace_of(self._site))
        if JOB in self._busy or last is None or last.ended_on_purpose or last.job_id in self._ended:
            return False
        try:
            address = endpoints.flink(self._site)
            overview = flink_rest.overview(address)
            if overview is None or not overview.get("slots-total"):  # another server may answer there
                return False
            rest = FlinkRest(address)
            if running_job(rest, self._site.site) is not None:
                return False
            last = launch.counted(rest, last)  # an interrupted submission may never have reached Flink
            if last is None or last.ended_on_purpose or last.job_id in self._ended:
                return False
            job = rest.job(last.job_id)
        except EugenieError:  # the JobManager is dead or not ready: the next round will show which
            return False
        if job is not None and job["state"] in ENDED_ON_PURPOSE:
            self._ended.add(last.job_id)
            return False
        return True

    def _submit(self) -> bool:
        from eugenie_cli.engines import job_record
        from eugenie_cli.serving import runtime
        from eugenie_cli.streaming.submit import submit

        runtime.start(self._site)  # has no effect while it runs; after a reboot it does not run, and the job needs it
        last = job_record.load(workspace_of(self._site))
        parallelism = last.shape.get("parallelism") if last is not None else None  # may differ from the site file's
        submitted = submit(self._site, self._progress, parallelism=parallelism, lost=True)
        if submitted.started:
            origin = submitted.resumed_from or "the offsets that the last job had reached"
            self._progress.say(f"the stream job is running again, from {origin}")
        return submitted.started


@contextmanager
def _only_one(workspace: Workspace) -> Iterator[None]:
    """Ensures that a site has only one supervisor at a time."""
    reason, hint = "the site is already supervised", "stop the other `eugenie up --supervise` first"
    with refusing(workspace.run / ".keeper.lock", reason, hint, ExitCode.FAILED):
        yield
