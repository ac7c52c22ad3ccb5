"""The files that the server in the container reads, rendered from the site file into one folder per container."""

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
    """The folder on this machine that is served; models of a model store are fetched into it."""
    return workspace.models.absolute()


def folder(workspace: Workspace, colour: str) -> Path:
    """The folder with the files of a container."""
    return workspace.run / f"{_FOLDER}-{colour}"


def models(site: HasServing) -> list[ReleasedModel]:
    """The released versions of each class, with their path in the container.

    Missing versions are left out, because TensorFlow Serving listens only once every model of its initial configuration
    is loaded; `release_config.unserved` reports them. Raises EugenieError when models.config cannot be read; the
    server then keeps its previous list.
    """
    servable = release_config.servable(site)
    return [replace(servable[name], base_path=f"/models/{name}") for name in sorted(servable)]


def fixed(site: HasServing) -> dict[str, str]:
    """The files that the server reads only at start: name -> text."""
    texts = {MONITORING: server_config.monitoring_text()}
    if server_config.joins_requests(site):
        threads = len(os.sched_getaffinity(0))
        texts[BATCHING] = server_config.batching_text(site.serving.batching, threads)
    return texts


def models_text(site: HasServing) -> str:
    """The text of models.config for the current releases. A running server follows the file."""
    return server_config.model_config_text(models(site))


def write(site: HasServing, colour: str) -> Path:
    """Write all files, readable by any user: they contain no secrets of the site file. Returns the folder."""
    workspace = workspace_of(site)
    models_folder(workspace).mkdir(parents=True, exist_ok=True)  # an engine cannot mount a missing folder
    target = folder(workspace, colour)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    target.chmod(0o755)
    for name, text in _all(site).items():
        put(target / name, text)
    return target


def put(file: Path, text: str) -> None:
    """Replace a file that the server reads."""
    write_atomically(file, text, mode=0o644)  # readable by any user


def remove(workspace: Workspace, colour: str) -> None:
    """Remove the files of a container that no longer exists."""
    shutil.rmtree(folder(workspace, colour), ignore_errors=True)


def _all(site: HasServing) -> Mapping[str, str]:
    return {MODELS_CONFIG: models_text(site), **fixed(site)}
