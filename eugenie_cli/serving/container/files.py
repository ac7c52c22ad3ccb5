"""The files that the server in the container reads: rendered from the site, a folder for each container."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from eugenie_cli.files import write_atomically
from eugenie_cli.serving import release_config, server_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.workspace import Workspace

MODELS_CONFIG, MONITORING, BATCHING = "models.config", "monitoring.config", "batching.config"

_FOLDER = "serving"
"""`run/serving-<colour>`."""


def models_folder(workspace: Workspace) -> Path:
    """The folder of this machine whose models are served: what a model store has is fetched into it."""
    return workspace.models.absolute()


def folder(workspace: Workspace, colour: str) -> Path:
    """Where the files of a container lie."""
    return workspace.run / f"{_FOLDER}-{colour}"


def models(site: HasServing) -> list[ReleasedModel]:
    """The released versions of each class, under the server's own path; no version that nobody released.

    Only versions that are there: TensorFlow Serving listens when every model of its first configuration is loaded, so
    one that is not there would keep the rest away. What is left out is said by `release_config.unserved`. Raises
    EugenieError when models.config cannot be read: what was told before then holds.
    """
    found = release_config.servable(site)
    return [replace(found[name], base_path=f"/models/{name}") for name in sorted(found)]


def fixed(site: HasServing) -> dict[str, str]:
    """The files that the server reads at its start alone: name -> text."""
    found = {MONITORING: server_config.monitoring_text()}
    if server_config.joins_requests(site):
        threads = len(os.sched_getaffinity(0))
        found[BATCHING] = server_config.batching_text(site.serving.batching, threads)
    return found


def models_text(site: HasServing) -> str:
    """The models as they are released now. A running server follows the file."""
    return server_config.model_config_text(models(site))


def write(site: HasServing, colour: str) -> Path:
    """Write all of them, for any user to read: a site file's secrets are not in them."""
    workspace = workspace_of(site)
    models_folder(workspace).mkdir(parents=True, exist_ok=True)  # an engine mounts nothing that is not there
    target = folder(workspace, colour)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    target.chmod(0o755)
    for name, text in _all(site).items():
        put(target / name, text)
    return target


def put(file: Path, text: str) -> None:
    """Replace a file that the server reads."""
    write_atomically(file, text, mode=0o644)  # for any user


def remove(workspace: Workspace, colour: str) -> None:
    """When their container is gone."""
    shutil.rmtree(folder(workspace, colour), ignore_errors=True)


def _all(site: HasServing) -> Mapping[str, str]:
    return {MODELS_CONFIG: models_text(site), **fixed(site)}
