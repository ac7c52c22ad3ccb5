"""Keep a site running: an engine that dies is started again, a stream job that its cluster lost is submitted again.

`keep` stays in the foreground, as systemd and containers want it. What was stopped on purpose stays stopped: an engine
that died is known by its run file, which `eugenie down` and `eugenie serve stop` remove; a job by its record, in which
`eugenie stream stop` notes the end.

It never waits for one thing while another may need it: engines are launched and looked at again in the next round, and
what takes longer (the model server, a submission) runs on a thread of its own.
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
from eugenie_cli.operations import lifecycle
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import Workspace

POLL_S = 1.0
"""From one look to the next: what died is noticed within this."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Between two attempts on the same thing, doubled each time. The first attempt comes at once."""

STEADY_S = 60.0
"""What has run for this long counts as recovered: its next death is met at once again."""

CONFIRMED = 3
"""Looks at which a job must be missing: for a moment a cluster has forgotten one that ends, and `stop` not noted it."""

JOB = "stream job"
"""How the job is called beside the engines."""


def keep(site: Site, progress: Progress = SILENT, only: Collection[str] = (), down_on_exit: bool = False) -> None:
    """Stay until INT, TERM or HUP, or until all engines were stopped by somebody else; see `Supervisor`.

    The engines run on afterwards, unless `down_on_exit`. Raises EugenieError when the site has a keeper already.
    """
    with _only_one(workspace_of(site)), signals.noted() as stop:
        progress.say(f"keeping {', '.join(lifecycle.started(site, only)) or 'nothing'}; Ctrl-C ends that")
        Supervisor(site, progress, only).run(stop)
    if down_on_exit:
        lifecycle.down(site, progress)


@dataclass
class Backoff:
    """When a thing that dies may be tried again: at once, then after longer and longer pauses."""

    attempts: int = 0
    last: float = 0.0

    @property
    def pause_s(self) -> float:
        """The pause after the last attempt."""
        return pause_s(self.attempts, FIRST_PAUSE_S, LONGEST_PAUSE_S)

    def is_due(self, now: float) -> bool:
        """True when the next attempt may be made at `now` (seconds of a clock that never goes back)."""
        if self.attempts and now - self.last >= STEADY_S + self.pause_s:
            self.attempts = 0
        return not self.attempts or now - self.last >= self.pause_s

    def tried(self, now: float) -> None:
        self.attempts += 1
        self.last = now


class Supervisor:
    """Looks after the engines of a site (of `only`, if given) and, unless `only` leaves Flink out, its stream job.

    `revived` counts what was started again, by engine; the job is counted as `JOB`.
    """

    def __init__(self, site: Site, progress: Progress = SILENT, only: Collection[str] = ()) -> None:
        self._site = site
        self._progress = progress
        self._only = tuple(only)
        self._patience: dict[str, Backoff] = {}
        self._busy: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self._missing = 0
        self.revived: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Look again and again, until `stop` is set or nothing is left to keep."""
        while self.look() and not stop.wait(POLL_S):
            pass

    def look(self) -> bool:
        """One round; False when every engine was stopped, so that there is nothing to keep."""
        found = lifecycle.started(self._site, self._only)
        if not found:
            self._progress.say("every engine was stopped: nothing left to keep")
            return False
        for name in (name for name, runs in found.items() if not runs):
            if name == lifecycle.SERVING:
                self._attempt(name, "died", self._start_server, waits=True)
            else:
                self._attempt(name, "died", partial(lifecycle.revive, self._site, name))
        if not self._only or "flink" in self._only:
            self._missing = self._missing + 1 if self._job_is_missing() else 0
            if self._missing >= CONFIRMED:
                self._attempt(JOB, "is not on the cluster", self._submit, waits=True)
        return True

    def _attempt(self, name: str, what: str, act: Callable[[], bool], waits: bool = False) -> None:
        """Do `act`, now or on a thread of its own, unless it is being done or must be patient."""
        patience = self._patience.setdefault(name, Backoff())
        if name in self._busy or not patience.is_due(time.monotonic()):
            return
        patience.tried(time.monotonic())
        attempt = f" (attempt {patience.attempts})" if patience.attempts > 1 else ""
        self._progress.say(f"{name} {what}: starting it again{attempt}")
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
            self._progress.say(f"{name} could not be started: {error.reason}{hint}")
        finally:
            self._patience[name].last = time.monotonic()
            self._busy.pop(name, None)

    def _start_server(self) -> bool:
        from eugenie_cli.serving import runtime

        lifecycle.settled(workspace_of(self._site))  # it may have been stopped by a `down` that is not at its end
        return runtime.revive(self._site)

    def _job_is_missing(self) -> bool:
        """True when the last job, if it was not stopped, is unknown to a cluster that could run it."""
        from eugenie_cli.engines import job_record
        from eugenie_cli.engines.flink_rest import ENDED_ON_PURPOSE, FlinkRest
        from eugenie_cli.streaming import launch
        from eugenie_cli.streaming.job import running_job

        last = job_record.load(workspace_of(self._site))
        if JOB in self._busy or last is None or last.savepoint or last.drained or last.job_id in self._ended:
            return False
        try:
            address = endpoints.flink(self._site)
            found = flink_rest.overview(address)
            if found is None or not found.get("slots-total"):  # something else may answer there
                return False
            rest = FlinkRest(address)
            if running_job(rest, self._site.site) is not None:
                return False
            last = launch.counted(rest, last)  # one that was interrupted may never have come to Flink
            if last is None or last.savepoint or last.drained or last.job_id in self._ended:
                return False
            job = rest.job(last.job_id)
        except EugenieError:  # the JobManager is gone or not ready: the next look will tell
            return False
        if job is not None and job["state"] in ENDED_ON_PURPOSE:
            self._ended.add(last.job_id)
            return False
        return True

    def _submit(self) -> bool:
        from eugenie_cli.engines import job_record
        from eugenie_cli.serving import runtime
        from eugenie_cli.streaming.submit import submit

        runtime.start(self._site)  # nothing happens when it runs; after a reboot it does not, and the job needs it
        last = job_record.load(workspace_of(self._site))
        parallelism = last.shape.get("parallelism") if last is not None else None  # it may not be the site file's
        made = submit(self._site, self._progress, parallelism=parallelism, lost=True)
        if made.started:
            begun = made.resumed_from or "where the last one had read to"
            self._progress.say(f"the stream job runs again, from {begun}")
        return made.started


@contextmanager
def _only_one(workspace: Workspace) -> Iterator[None]:
    """One keeper of a site at a time."""
    reason, hint = "the site has a keeper already", "end the other `eugenie up --supervise` first"
    with refusing(workspace.run / ".keeper.lock", reason, hint, ExitCode.FAILED):
        yield
