"""Spooled training runs to their tracking server: what `eugenie models sync` does, and each training first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.load import workspace_of
from eugenie_cli.training import mlflow_store, spool
from eugenie_cli.training.upload import Delivery

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class SentRun:
    """A run that was spooled and is on the server now. `spooled`: its name in the spool, the run's tag."""

    class_name: str
    version: int
    run_id: str
    aliases: tuple[str, ...]
    spooled: str


@dataclass(frozen=True)
class UnsentRun:
    """A run that still waits, and why."""

    class_name: str
    spooled: str
    reason: str
    hint: str | None = None


@dataclass(frozen=True)
class Synced:
    """What became of the runs of a site's spool."""

    sent: tuple[SentRun, ...] = ()
    unsent: tuple[UnsentRun, ...] = ()


def send(site: HasTracking, progress: Progress) -> Synced:
    """Sends every whole run, the oldest first. One that the server does not take stops no other.

    Raises StoreUnreachableError when the server does not answer, and EugenieError when it does not let us in; both only
    when there is something to send.
    """
    workspace = workspace_of(site)
    spool.clean(workspace)
    return send_with(site, mlflow_store.client(site), progress) if spool.waiting(workspace) else Synced()


def send_with(site: HasTracking, client: MlflowClient, progress: Progress) -> Synced:
    """`send`, over a client that has just answered. A server that goes away leaves the rest unsent."""
    sent: list[SentRun] = []
    unsent: list[UnsentRun] = []
    away: EugenieError | None = None
    for run in spool.waiting(workspace_of(site)):
        head = run.head
        if away is not None:
            unsent.append(UnsentRun(head.class_name, head.id, away.reason, away.hint))
            continue
        try:
            done = Delivery(site, client, run).complete()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the run stays in the spool, and the next is tried
            reason, hint = why(problem)
            away = _away(site)
            unsent.append(UnsentRun(head.class_name, head.id, away.reason if away else reason, hint))
            continue
        sent.append(SentRun(done.name, done.version, done.run_id, done.aliases, head.id))
        progress.say(f"{done.name}: the spooled run is sent, and is version {done.version}")
    return Synced(tuple(sent), tuple(unsent))


def why(problem: Exception) -> tuple[str, str | None]:
    """Reason and hint of anything that came in a delivery's way."""
    if isinstance(problem, EugenieError):
        return problem.reason, problem.hint
    return f"{type(problem).__name__}: {mlflow_store.first_line(problem)}", "see the tracking server's log"


def _away(site: HasTracking) -> EugenieError | None:
    """Why nothing more can be sent now, if so."""
    try:
        mlflow_store.client(site)
    except EugenieError as problem:
        return problem
    return None
