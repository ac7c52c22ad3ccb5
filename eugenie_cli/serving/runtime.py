"""The model server of a site, whatever runs it: a process of this machine, or a container.

`site.serving.runtime` decides. One that an earlier site file's runtime started is found too: it is stopped, and never
left beside another one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

from eugenie_cli.engines import container_record, process
from eugenie_cli.engines.endpoints import DOCKER, LOCAL
from eugenie_cli.engines.launcher import log_file, run_file
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import local, release_config
from eugenie_cli.serving.status import ServingStatus
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.workspace import Workspace


def start(site: HasServing, progress: Progress = SILENT, *, offline: bool = False) -> ServingStatus:
    """Start the server unless it runs, and wait until it answers. `offline`: no image is pulled.

    With `serving.address` nothing is started: the server there must answer. Raises EugenieError as the runtime's own
    `start` does, and when the server of another runtime still runs.
    """
    if site.serving.address is not None:
        return local.start(site, progress)
    _check_alone(site)
    if _runtime(site) == DOCKER:
        found: ServingStatus = _containers().start(site, progress, offline=offline)
    else:
        found = local.start(site, progress)
    found = _explained(site, found)
    for words in found.unserved:
        progress.say(words)
    return found


def revive(site: HasServing, progress: Progress = SILENT) -> bool:
    """Start the site's own server again if it died; False when it runs, was stopped, or is not eugenie's."""
    if site.serving.address is None and _runtime(site) == DOCKER:
        return bool(_containers().revive(site, progress))
    return local.revive(site, progress)


def stop(site: HasServing, progress: Progress = SILENT) -> bool:
    """Stop the site's own server: requests in flight are answered first. True when it ran."""
    if site.serving.address is not None:
        return local.stop(site, progress)  # which says whose it is
    ran = end(site, progress)
    progress.say("the model server is stopped" if ran else "no model server ran")
    return ran


def end(site: HasServing, progress: Progress = SILENT) -> bool:
    """Stop whatever server eugenie started for the site, whatever the site file says now. True when one ran."""
    workspace = workspace_of(site)
    ran = False
    if container_record.read(workspace) is not None:
        ran = bool(_containers().stop(workspace, progress))
    elif _is_containers(site):
        with contextlib.suppress(EugenieError):  # of a first start that was killed; without an engine none is left
            ran = bool(_containers().stop(workspace, progress))
    if process.read_run_file(run_file(workspace, local.NAME)) is not None:
        ran = local.end(workspace) or ran
    return ran


def status(site: HasServing) -> ServingStatus:
    """How the server is, and the model versions on it."""
    found: ServingStatus = _containers().status(site) if _is_containers(site) else local.status(site)
    return _explained(site, found)


def follow(site: HasServing) -> None:
    """Let the server take up what is released now: the local one follows the file itself, a container its own copy."""
    if _is_containers(site):
        _containers().follow(site)


def started(site: HasServing) -> bool | None:
    """Whether the site's own server runs; None when it was not started, or was stopped since."""
    workspace = workspace_of(site)
    if _is_containers(site):
        return bool(_containers().is_alive(workspace)) if container_record.read(workspace) is not None else None
    file = run_file(workspace, local.NAME)
    return process.identify(file) is not None if process.read_run_file(file) is not None else None


def logs(site: HasServing, lines: int = 100, follow: bool = False) -> Iterator[str]:
    """The last `lines` of the server's log, and with `follow` what comes. Raises EugenieError: it has none."""
    if site.serving.address is not None:
        raise EugenieError(
            f"the log of the model server at {site.serving.address} is where it was started",
            "see there, or remove serving.address from the site file",
            ExitCode.USAGE,
        )
    if _runtime(site) == DOCKER:
        from eugenie_cli.serving.container.logs import logs as of_container

        return of_container(site, lines, follow)
    from eugenie_cli.engines.logfile import read

    file = log_file(workspace_of(site), local.NAME)
    if not file.exists():
        raise EugenieError(
            f"the model server of {site.site} has no log yet", "eugenie serve start", ExitCode.UNREACHABLE
        )
    return read(file, lines, follow)


def _explained(site: HasServing, found: ServingStatus) -> ServingStatus:
    """With what is not served of the site, by a server of its own."""
    return found if site.serving.address is not None else replace(found, unserved=release_config.unserved(site))


def _runtime(site: HasServing) -> str:
    runtime = site.serving.runtime
    if runtime not in (LOCAL, DOCKER):
        raise EugenieError(
            f"serving.runtime: {runtime} is not started from here",
            "set serving.runtime to local or docker, or serving.address to a server that runs already",
            ExitCode.USAGE,
        )
    return runtime


def _is_containers(site: HasServing) -> bool:
    return site.serving.address is None and site.serving.runtime == DOCKER


def _check_alone(site: HasServing) -> None:
    """Two servers of a site would take each other's address."""
    workspace: Workspace = workspace_of(site)
    other = None
    if site.serving.runtime != LOCAL and process.identify(run_file(workspace, local.NAME)) is not None:
        other = "as a local process"
    elif site.serving.runtime != DOCKER and container_record.read(workspace) is not None:
        other = "in a container"
    if other is not None:
        raise EugenieError(
            f"the model server of {site.site} runs {other}, and the site file says {site.serving.runtime} now",
            "eugenie serve stop, then eugenie serve start",
            ExitCode.REFUSED,
        )


def _containers() -> ModuleType:
    from eugenie_cli.serving.container import lifecycle

    return lifecycle
