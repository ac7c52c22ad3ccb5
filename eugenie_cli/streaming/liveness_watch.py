"""Checks Kafka, Flink and the model server for signs of life: once, or repeatedly during a tail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from eugenie_cli.anomalies.last_rows import LastRows, contact
from eugenie_cli.engines import endpoints, flink_rest, job_record
from eugenie_cli.engines.flink_rest import ENDED_ON_PURPOSE, FlinkRest, state_of
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError
from eugenie_cli.serving import tls
from eugenie_cli.serving.health import why_not_serving
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.job import running_job
from eugenie_cli.streaming.liveness import Facts, Liveness, judge
from eugenie_cli.streaming.problems import STOPPED

EVERY_S = 2.0
FLINK_S = 3.0
SERVER_S = 2.0


class Asker:
    """Queries all three in parallel. Not thread-safe."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rows = LastRows(site.kafka_access)
        self._contact_ms: int | None = None
        self._pool = ThreadPoolExecutor(2, "sign-of-life")

    def ask(self) -> Facts:
        """The answers now. Takes seconds when one of them hangs."""
        flink, server = self._pool.submit(self._flink), self._pool.submit(self._server)
        has_topic, why = contact(self._rows)
        now = _now()
        if not why:
            self._contact_ms = now
        job, no_flink = flink.result()
        return Facts(
            at_ms=_now(),
            contact_ms=self._contact_ms,
            kafka=why,
            has_topic=has_topic,
            job=job,
            flink=no_flink,
            should_run=should_run(job_record.load(workspace_of(self._site)), job),
            server=server.result(),
            scored=dict(self._rows.scored),
            arrived_ms=self._rows.arrived,
        )

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._rows.close()

    def _flink(self) -> tuple[str | None, str]:
        """The job's state; None and the reason when Flink does not answer."""
        try:
            rest = FlinkRest(endpoints.flink(self._site), FLINK_S)
            why = flink_rest.why_no_flink(rest.address, FLINK_S)
            if why:
                return None, f"Flink at {rest.address}: {why}"
            last = job_record.load(workspace_of(self._site))
            job_id = running_job(rest, self._site.site) or (last.job_id if last is not None else None)
            job = rest.job(job_id) if job_id else None
            return state_of(job) if job is not None else STOPPED, ""
        except EugenieError as error:
            return None, error.reason

    def _server(self) -> str:
        try:
            address = endpoints.model_server(self._site)
            return why_not_serving(address, SERVER_S, tls.credentials_of(self._site))
        except EugenieError as error:
            return error.reason


def should_run(last: JobRecord | None, job: str | None) -> bool:
    """Whether the job was submitted and not stopped since. Only its state shows that it was cancelled."""
    return last is not None and not last.ended_on_purpose and job not in ENDED_ON_PURPOSE


def look(site: Site, assets: Collection[str] = ()) -> Liveness:
    """The liveness of a site now."""
    asker = Asker(site)
    try:
        return judge(site, asker.ask(), _now(), assets)
    finally:
        asker.close()


class LivenessWatch:
    """A thread that checks every two seconds. `life()` judges by the last answers. Use as a context manager.

    The thread calls `on_change` when the level or the kinds of trouble change.
    """

    def __init__(
        self, site: Site, assets: Collection[str] = (), on_change: Callable[[Liveness], None] = lambda _: None
    ) -> None:
        self._site, self._assets, self._on_change = site, tuple(assets), on_change
        self._facts: Facts | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sign-of-life", daemon=True)

    def life(self) -> Liveness:
        """The liveness at this moment."""
        return judge(self._site, self._facts, _now(), self._assets)

    def __enter__(self) -> LivenessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(EVERY_S)  # with a limit: a query may hang

    def _run(self) -> None:
        asker, previous = Asker(self._site), None
        try:
            while not self._done.is_set():
                self._facts = asker.ask()
                life = self.life()
                current = life.level, tuple(trouble.kind for trouble in life.troubles)
                if current != previous and not self._done.is_set():
                    self._on_change(life)
                previous = current
                self._done.wait(EVERY_S)
        finally:
            asker.close()


def _now() -> int:
    return int(time.time() * 1000)
