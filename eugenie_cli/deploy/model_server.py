"""TensorFlow Serving in a container: its image, its arguments, its three files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eugenie_cli.deploy.request import Request
from eugenie_cli.serving.server_config import (
    GRPC_PORT,
    REST_PORT,
    ReleasedModel,
    batching_text,
    joins_requests,
    model_config_text,
    monitoring_text,
    poll_seconds,
)
from eugenie_cli.site.schema import Site

COMMAND = "/usr/bin/tensorflow_model_server"
MODELS_FOLDER, CONFIG_FOLDER = "/models", "/etc/eugenie"
MODEL_CONFIG, BATCHING_CONFIG, MONITORING_CONFIG = "models.config", "batching.config", "monitoring.config"

USER = 10_001
"""Nobody's number: the server needs no account, and its image names none."""

CORES = 2
"""That a server asks for; without GPUs it runs as many batches at once."""

MEMORY = "4Gi"
"""TensorFlow Serving itself takes some 300 MiB, a model of this kind 20 to 60 MiB, a large batch the rest."""

CONFIG_POLL_S = 30
"""A ConfigMap takes about a minute to reach a pod: more often would not be sooner."""

FOLLOWED_WITHIN_S = 120
"""A ConfigMap's minute, the poll, and the loading."""


def arguments(request: Request, gpus: bool) -> list[str]:
    """What the server is started with."""
    site = request.site
    # a server that has copies of a store's models has a copy of its list of releases, too
    folder = CONFIG_FOLDER if request.store.read_by_tensorflow else MODELS_FOLDER
    given = [
        f"--port={GRPC_PORT}",
        f"--model_config_file={folder}/{MODEL_CONFIG}",
        f"--model_config_file_poll_wait_seconds={CONFIG_POLL_S}",
        f"--file_system_poll_wait_seconds={poll_seconds(site)}",
        f"--rest_api_port={REST_PORT}",
        f"--monitoring_config_file={CONFIG_FOLDER}/{MONITORING_CONFIG}",
    ]
    if any(model.labels for model in request.models) or not request.store.read_by_tensorflow:
        # a label may come with the version that it names, before that has loaded
        given.append("--allow_version_labels_for_unavailable_models=true")
    if joins_requests(site):
        given += ["--enable_batching=true", f"--batching_parameters_file={CONFIG_FOLDER}/{BATCHING_CONFIG}"]
    return [*given, *gpu_arguments(site, gpus)]


def gpu_arguments(site: Site, gpus: bool) -> list[str]:
    """How much of each GPU's memory the server may take."""
    if not gpus or site.serving.memory_fraction is None:
        return []
    return [f"--per_process_gpu_memory_fraction={site.serving.memory_fraction:g}"]


def files(request: Request, threads: int) -> dict[str, str]:
    """What lies in CONFIG_FOLDER. `threads`: batches that run at once."""
    written = {MONITORING_CONFIG: monitoring_text()}
    if request.store.read_by_tensorflow:
        written[MODEL_CONFIG] = model_config_text(_within(request))
    if joins_requests(request.site):
        written[BATCHING_CONFIG] = batching_text(request.site.serving.batching, threads)
    return written


def after_promotion(request: Request, target: str, how: str) -> list[str]:
    """What a new champion needs: copies follow the store by themselves."""
    if not request.store.read_by_tensorflow:
        return []
    return [
        f"after each eugenie models promote or rollback: eugenie serve render --target {target}{how}; the servers take"
        f" the new list within {FOLLOWED_WITHIN_S // 60} minutes, without a new start"
    ]


def unprivileged() -> dict[str, Any]:
    """What a container may not."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _within(request: Request) -> list[ReleasedModel]:
    """The released models, with the paths that the server sees: it reads gs:// itself, all else is mounted."""
    store = request.store
    return [
        replace(model, base_path=store.uri(model.name) if store.kind == "gs" else f"{MODELS_FOLDER}/{model.name}")
        for model in request.served
    ]
