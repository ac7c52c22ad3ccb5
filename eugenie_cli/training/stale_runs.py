"""Runs whose process died before it recorded how they ended: the next training run records it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import psutil

from eugenie_cli.training.registry import Registry

HOST, PID, STARTED = "eugenie.host", "eugenie.pid", "eugenie.started"
# psutil derives a process's start from the boot time, which moves when the clock is set.
_TOLERANCE_S = 2.0
_MOST = 1000


def marks() -> dict[str, str]:
    """MLflow tags that identify the process that writes a run."""
    own = psutil.Process()
    return {HOST: socket.gethostname(), PID: str(os.getpid()), STARTED: f"{own.create_time():.2f}"}


def settle(registry: Registry) -> list[str]:
    """Ends the runs of dead processes of this machine, and returns a message about each.

    A run whose version is registered was all but finished: it becomes FINISHED, and its version gets its alias. All
    others become KILLED. Runs of other machines are left alone.
    """
    messages = []
    client, experiments = registry.client, [registry.experiment()]
    running = f"tags.`eugenie.site` = '{registry.site_name}' and attributes.status = 'RUNNING'"
    for run in client.search_runs(experiments, running, max_results=_MOST):
        if not is_dead(run.data.tags):
            continue
        class_name = run.data.tags.get("eugenie.class", "")
        registered = registry.has_class(class_name) and registry.adopt(class_name, run.info.run_id)
        client.set_terminated(run.info.run_id, "FINISHED" if registered else "KILLED")
        if class_name:
            ending = "its version is registered" if registered else "it registered no version"
            messages.append(f"{class_name}: an earlier training run was killed; {ending}")
    return messages


def is_dead(tags: Mapping[str, str]) -> bool:
    """Whether the process with these `marks` ran on this machine and no longer exists."""
    if tags.get(HOST) != socket.gethostname() or PID not in tags:
        return False
    try:
        process = psutil.Process(int(tags[PID]))
        return abs(process.create_time() - float(tags[STARTED])) > _TOLERANCE_S
    except psutil.NoSuchProcess:
        return True
