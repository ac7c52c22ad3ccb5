"""Uploads spooled training runs to their tracking server, for `eugenie models sync` and before each training run."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.load import workspace_of
from eugenie_cli.training import spool
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.store_client import first_line
from eugenie_cli.training.upload import Delivery
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class SentRun:
    """A spooled run that is now on the server. `spooled`: its name in the spool, which is also the run's tag."""

    class_name: str
    version: int
    run_id: str
    aliases: tuple[str, ...]
    spooled: str


@dataclass(frozen=True)
class UnsentRun:
    """A run that is still in the spool, and why."""

    class_name: str
    spooled: str
    reason: str
    hint: str | None = None


@dataclass(frozen=True)
class Synced:
    """The outcome for each run of a site's spool."""

    sent: tuple[SentRun, ...] = ()
    unsent: tuple[UnsentRun, ...] = ()


def send(site: HasTracking, progress: Progress) -> Synced:
    """Uploads every complete run, oldest first. A run that the server rejects does not stop the others.

    Raises StoreUnreachableError when the server does not answer, and EugenieError when it denies access; both only
    when the spool holds a run to upload.
    """
    workspace = workspace_of(site)
    spool.clean(workspace)
    return send_with(Registry(site).reconnected(), workspace, progress) if spool.waiting(workspace) else Synced()


def send_with(registry: Registry, workspace: Workspace, progress: Progress) -> Synced:
    """`send`, to a registry that has just answered. The rest stays unsent once the server becomes unreachable."""
    sent: list[SentRun] = []
    unsent: list[UnsentRun] = []
    unreachable: EugenieError | None = None
    for run in spool.waiting(workspace):
        head = run.head
        if unreachable is not None:
            unsent.append(UnsentRun(head.class_name, head.id, unreachable.reason, unreachable.hint))
            continue
        try:
            version = Delivery(registry, run).complete()
        except Exception as problem:  # noqa: BLE001 - after any failure the run stays in the spool; try the next one
            reason, hint = why(problem)
            unreachable = _unreachable(registry)
            unsent.append(UnsentRun(head.class_name, head.id, unreachable.reason if unreachable else reason, hint))
            continue
        sent.append(SentRun(version.name, version.version, version.run_id, version.aliases, head.id))
        progress.say(f"{version.name}: the spooled run was uploaded as version {version.version}")
    return Synced(tuple(sent), tuple(unsent))


def why(problem: Exception) -> tuple[str, str | None]:
    """The reason and hint for any failure of an upload."""
    if isinstance(problem, EugenieError):
        return problem.reason, problem.hint
    return f"{type(problem).__name__}: {first_line(problem)}", "see the tracking server's log"


def _unreachable(registry: Registry) -> EugenieError | None:
    """Why the server takes no more runs now; None while it answers."""
    try:
        registry.reconnected()
    except EugenieError as problem:
        return problem
    return None
