"""Stops the engines of a site, including its model server, from any initial state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from eugenie_cli.engines import flink, flink_rest, kafka, mlflow, process, temporary_folders
from eugenie_cli.engines.launcher import LOCK, run_file
from eugenie_cli.locks import exclusive
from eugenie_cli.operations.site_engines import SERVING
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.workspace import Workspace


def down(site: HasServing, progress: Progress = SILENT) -> list[str]:
    """Stops every engine of the site, including its model server. Returns the names of those that were running."""
    workspace = workspace_of(site)
    with exclusive(workspace.run / LOCK):
        jobs = _jobs(workspace)
        if jobs:
            progress.say(f"stopping without a savepoint: {', '.join(jobs)} (`eugenie stream stop` takes one)")
        # the broker last: its writers can end in good order only while it runs
        first = [SERVING, flink.TASKMANAGER, flink.JOBMANAGER, flink.METRICS, mlflow.NAME]
        try:
            with ThreadPoolExecutor(len(first)) as pool:
                stopped = list(pool.map(lambda name: _stop_any(site, workspace, name, progress), first))
        finally:  # stop the broker even if another cannot be stopped (a container whose Docker engine is unreachable)
            last = _stop(workspace, kafka.NAME, progress)
        temporary_folders.sweep_all(workspace, flink.JVMS)
    return [name for name, ran in zip([*first, kafka.NAME], [*stopped, last], strict=True) if ran]


def wait_until_settled(workspace: Workspace) -> None:
    """Waits until no `up` or `down` of the site is in progress."""
    with exclusive(workspace.run / LOCK):
        pass


def _stop(workspace: Workspace, name: str, progress: Progress) -> bool:
    ran = process.stop(run_file(workspace, name))
    if ran:
        progress.say(f"stopped {name}")
    return ran


def _stop_any(site: HasServing, workspace: Workspace, name: str, progress: Progress) -> bool:
    """Stops an engine, or the model server through its runtime."""
    if name != SERVING:
        return _stop(workspace, name, progress)
    from eugenie_cli.serving import runtime

    ran = runtime.end(site)
    if ran:
        progress.say(f"stopped {name}")
    return ran


def _jobs(workspace: Workspace) -> list[str]:
    running = process.identify(run_file(workspace, flink.JOBMANAGER))
    return flink_rest.running_jobs(running.address) if running is not None else []
