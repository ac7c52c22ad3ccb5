"""The model server of a site, regardless of its runtime: a process on this machine, or a container.

`site.serving.runtime` decides. A server that was started under an earlier `serving.runtime` is detected and can be
stopped, so that two servers never run at once.
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
    """Start the server unless it runs, and wait until it answers. `offline`: do not pull an image.

    With `serving.address`, start nothing: the server at that address must answer. Raises EugenieError as the runtime's
    own `start` does, and when a server of another runtime is still running.
    """
    if site.serving.address is not None:
        return local.start(site, progress)
    _check_alone(site)
    if _runtime(site) == DOCKER:
        started_status: ServingStatus = _containers().start(site, progress, offline=offline)
    else:
        started_status = local.start(site, progress)
    started_status = _with_unserved(site, started_status)
    for reason in started_status.unserved:
        progress.say(reason)
    return started_status


def revive(site: HasServing, progress: Progress = SILENT) -> bool:
    """Restart the site's own server if it died. False when it runs, was stopped, or is not managed by eugenie."""
    if site.serving.address is None and _runtime(site) == DOCKER:
        return bool(_containers().revive(site, progress))
    return local.revive(site, progress)


def stop(site: HasServing, progress: Progress = SILENT) -> bool:
    """Stop the site's own server: requests in flight are answered first. True when it ran."""
    if site.serving.address is not None:
        return local.stop(site, progress)  # raises: eugenie does not manage that server
    ran = end(site, progress)
    progress.say("the model server has stopped" if ran else "no model server was running")
    return ran


def end(site: HasServing, progress: Progress = SILENT) -> bool:
    """Stop any server that eugenie started for the site, even under an earlier site file. True when one ran."""
    workspace = workspace_of(site)
    ran = False
    if container_record.read(workspace) is not None:
        ran = bool(_containers().stop(workspace, progress))
    elif _is_containers(site):
        with contextlib.suppress(EugenieError):  # left by a killed first start; without an engine there is none
            ran = bool(_containers().stop(workspace, progress))
    if process.read_run_file(run_file(workspace, local.NAME)) is not None:
        ran = local.end(workspace) or ran
    return ran


def status(site: HasServing) -> ServingStatus:
    """The status of the server and the model versions that it serves."""
    current: ServingStatus = _containers().status(site) if _is_containers(site) else local.status(site)
    return _with_unserved(site, current)


def follow(site: HasServing) -> None:
    """Have the server load the current releases: a local server follows the file itself, a container its own copy."""
    if _is_containers(site):
        _containers().follow(site)


def started(site: HasServing) -> bool | None:
    """Whether the site's own server runs; None when it was never started, or has been stopped since."""
    workspace = workspace_of(site)
    if _is_containers(site):
        return bool(_containers().is_alive(workspace)) if container_record.read(workspace) is not None else None
    file = run_file(workspace, local.NAME)
    return process.identify(file) is not None if process.read_run_file(file) is not None else None


def logs(site: HasServing, lines: int = 100, follow: bool = False) -> Iterator[str]:
    """The last `lines` of the server's log and, with `follow`, new lines. Raises EugenieError when it has no log."""
    if site.serving.address is not None:
        raise EugenieError(
            f"eugenie did not start the model server at {site.serving.address} and has no log of it",
            "read the log where the server was started, or remove serving.address from the site file",
            ExitCode.USAGE,
        )
    if _runtime(site) == DOCKER:
        from eugenie_cli.serving.container.logs import logs as container_logs

        return container_logs(site, lines, follow)
    from eugenie_cli.engines.logfile import read

    file = log_file(workspace_of(site), local.NAME)
    if not file.exists():
        raise EugenieError(
            f"the model server of {site.site} has no log yet", "eugenie serve start", ExitCode.UNREACHABLE
        )
    return read(file, lines, follow)


def _with_unserved(site: HasServing, current: ServingStatus) -> ServingStatus:
    """Add what the site's own server does not serve; unchanged for a server that eugenie does not manage."""
    return current if site.serving.address is not None else replace(current, unserved=release_config.unserved(site))


def _runtime(site: HasServing) -> str:
    runtime = site.serving.runtime
    if runtime not in (LOCAL, DOCKER):
        raise EugenieError(
            f"serving.runtime: {runtime} cannot be started from this machine",
            "set serving.runtime to local or docker, or serving.address to a running server",
            ExitCode.USAGE,
        )
    return runtime


def _is_containers(site: HasServing) -> bool:
    return site.serving.address is None and site.serving.runtime == DOCKER


def _check_alone(site: HasServing) -> None:
    """Raise EugenieError if a server of the other runtime runs: two servers of a site would compete for one address."""
    workspace: Workspace = workspace_of(site)
    other = None
    if site.serving.runtime != LOCAL and process.identify(run_file(workspace, local.NAME)) is not None:
        other = "as a local process"
    elif site.serving.runtime != DOCKER and container_record.read(workspace) is not None:
        other = "in a container"
    if other is not None:
        raise EugenieError(
            f"the model server of {site.site} runs {other}, but serving.runtime is now {site.serving.runtime}",
            "eugenie serve stop, then eugenie serve start",
            ExitCode.REFUSED,
        )


def _containers() -> ModuleType:
    from eugenie_cli.serving.container import lifecycle

    return lifecycle
