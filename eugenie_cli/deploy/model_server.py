"""TensorFlow Serving in a container: its arguments and its three configuration files."""

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
"""An unassigned user ID: the server needs no account, and its image defines none."""

CORES = 2
"""CPU cores that a server requests; without GPUs it runs as many batches at once."""

MEMORY = "4Gi"
"""TensorFlow Serving itself takes about 300 MiB, a model of this kind 20 to 60 MiB, a large batch the rest."""

CONFIG_POLL_S = 30
"""A ConfigMap takes about a minute to reach a pod, so polling more often would gain nothing."""

FOLLOWED_WITHIN_S = 120
"""The minute for the ConfigMap, the poll interval and the loading."""


def arguments(request: Request, gpus: bool) -> list[str]:
    """The server's command-line arguments."""
    site = request.site
    # a server with copies of a store's models also has a copy of the store's list of releases
    folder = CONFIG_FOLDER if request.store.read_by_tensorflow else MODELS_FOLDER
    flags = [
        f"--port={GRPC_PORT}",
        f"--model_config_file={folder}/{MODEL_CONFIG}",
        f"--model_config_file_poll_wait_seconds={CONFIG_POLL_S}",
        f"--file_system_poll_wait_seconds={poll_seconds(site)}",
        f"--rest_api_port={REST_PORT}",
        f"--monitoring_config_file={CONFIG_FOLDER}/{MONITORING_CONFIG}",
    ]
    if any(model.labels for model in request.models) or not request.store.read_by_tensorflow:
        # a label may arrive together with its version, before that has loaded
        flags.append("--allow_version_labels_for_unavailable_models=true")
    if joins_requests(site):
        flags += ["--enable_batching=true", f"--batching_parameters_file={CONFIG_FOLDER}/{BATCHING_CONFIG}"]
    return [*flags, *gpu_arguments(site, gpus)]


def gpu_arguments(site: Site, gpus: bool) -> list[str]:
    """The argument that limits the server's share of each GPU's memory; empty without a limit."""
    if not gpus or site.serving.memory_fraction is None:
        return []
    return [f"--per_process_gpu_memory_fraction={site.serving.memory_fraction:g}"]


def files(request: Request, threads: int) -> dict[str, str]:
    """The files of CONFIG_FOLDER by name. `threads`: batches that run at once."""
    written = {MONITORING_CONFIG: monitoring_text()}
    if request.store.read_by_tensorflow:
        written[MODEL_CONFIG] = model_config_text(_within(request))
    if joins_requests(request.site):
        written[BATCHING_CONFIG] = batching_text(request.site.serving.batching, threads)
    return written


def after_promotion(request: Request, target: str, how: str) -> list[str]:
    """The step after a promotion; none for copies, which follow the store without it."""
    if not request.store.read_by_tensorflow:
        return []
    return [
        f"after each eugenie models promote or rollback: eugenie serve render --target {target}{how}; the servers adopt"
        f" the new list within {FOLLOWED_WITHIN_S // 60} minutes, without a restart"
    ]


def unprivileged() -> dict[str, Any]:
    """The security context of an unprivileged container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _within(request: Request) -> list[ReleasedModel]:
    """The released models, with their paths in the container: the server reads gs:// directly, all else is mounted."""
    store = request.store
    return [
        replace(model, base_path=store.uri(model.name) if store.kind == "gs" else f"{MODELS_FOLDER}/{model.name}")
        for model in request.served
    ]
