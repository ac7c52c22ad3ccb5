"""The pods of the model server: TensorFlow Serving, and the source of its models."""

from __future__ import annotations

import hashlib
from typing import Any

from eugenie_cli.deploy import model_server, model_sync
from eugenie_cli.deploy.request import Request
from eugenie_cli.serving import server_config
from eugenie_cli.serving.server_config import METRICS_PATH

CONTAINER = "model-server"
CLAIM_SUFFIX, CONFIG_SUFFIX = "-models", "-config"

DRAIN_S = 15
"""Between a pod's removal from the service and its end: every kube-proxy learns of it, and calls in flight finish."""

GRACE_S = 60
"""A pod's time to end, including draining."""

START_S = 600
"""TensorFlow Serving listens only after all models have loaded and warmed up, and a new claim or bucket may be slow."""

_PROBE_S = 10

CREDENTIALS_FOLDER, CREDENTIALS = "/var/run/secrets/eugenie/store", "credentials.json"
"""The folder in which Google's client finds its credentials, and their key in the secret."""


def template(request: Request, files: dict[str, str], gpus: int) -> dict[str, Any]:
    """The pod template of the Deployment. `files`: the contents of the ConfigMap."""
    store = request.store
    volumes: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": request.name + CONFIG_SUFFIX}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    if store.kind == "folder":
        claim = {"claimName": request.name + CLAIM_SUFFIX, "readOnly": True}
        volumes.append({"name": "models", "persistentVolumeClaim": claim})
    elif not store.read_by_tensorflow:
        script = {"name": request.name + model_sync.SCRIPT_SUFFIX}
        volumes.append({"name": "models", "emptyDir": {"sizeLimit": model_sync.ROOM}})
        volumes.append({"name": "copy", "configMap": script})
    if store.kind == "gs" and request.options.secret is not None:
        secret = {"secretName": request.options.secret, "defaultMode": 0o440}
        volumes.append({"name": "credentials", "secret": secret})
    copies = model_sync.containers(request) if not store.read_by_tensorflow else ([], [])
    spec: dict[str, Any] = {
        **({"serviceAccountName": request.options.service_account} if request.options.service_account else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": model_server.USER,
            "runAsGroup": model_server.USER,
            "fsGroup": model_server.USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # one replica per node, as far as possible
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(request)},
            }
        ],
        **({"initContainers": copies[0]} if copies[0] else {}),
        "containers": [_server(request, gpus), *copies[1]],
        "volumes": volumes,
    }
    return {
        "metadata": {"labels": request.labels(request.name), "annotations": _annotations(files)},
        "spec": spec,
    }


def selector(request: Request) -> dict[str, str]:
    """The labels that select the pods."""
    labels = request.labels(request.name)
    return {key: labels[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/instance")}


def _annotations(files: dict[str, str]) -> dict[str, str]:
    # the server reloads models.config, but reads all other files only once
    fixed = "\n".join(text for name, text in sorted(files.items()) if name != model_server.MODEL_CONFIG)
    return {
        "eugenie/config": hashlib.sha256(fixed.encode()).hexdigest(),
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(model_server.REST_PORT),
        "prometheus.io/path": METRICS_PATH,
    }


def _server(request: Request, gpus: int) -> dict[str, Any]:
    ports = [
        {"name": "grpc", "containerPort": model_server.GRPC_PORT, "protocol": "TCP"},
        {"name": "rest", "containerPort": model_server.REST_PORT, "protocol": "TCP"},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": model_server.CONFIG_FOLDER, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
    ]
    environment = [{"name": "CUDA_CACHE_PATH", "value": "/tmp/cuda"}] if gpus else []  # noqa: S108
    if request.store.kind != "gs":
        mounts.append({"name": "models", "mountPath": model_server.MODELS_FOLDER, "readOnly": True})
    elif request.options.secret is not None:
        mounts.append({"name": "credentials", "mountPath": CREDENTIALS_FOLDER, "readOnly": True})
        path = f"{CREDENTIALS_FOLDER}/{CREDENTIALS}"
        environment.append({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": path})
    limits: dict[str, Any] = {"memory": model_server.MEMORY}
    if gpus:
        limits["nvidia.com/gpu"] = gpus
    return {
        "name": CONTAINER,
        "image": server_config.image(request.site),
        "command": [model_server.COMMAND],
        "args": model_server.arguments(request, gpus > 0),
        **({"env": environment} if environment else {}),
        "ports": ports,
        "resources": {
            "requests": {"cpu": str(model_server.CORES), "memory": model_server.MEMORY},
            # no CPU limit: it would slow down a batch while cores are idle
            "limits": limits,
        },
        "startupProbe": {**_probe(), "failureThreshold": START_S // _PROBE_S},
        "readinessProbe": {**_probe(), "failureThreshold": 2},
        "livenessProbe": {**_probe(), "failureThreshold": 6},
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", str(DRAIN_S)]}}},
        "securityContext": model_server.unprivileged(),
        "volumeMounts": mounts,
    }


def _probe() -> dict[str, Any]:
    """Queries the metrics on the REST API, which listens once every model has loaded.

    No model is queried: a class that fails, or leaves the list, must not take the others out of service.
    """
    page = {"path": METRICS_PATH, "port": "rest"}
    return {"httpGet": page, "periodSeconds": _PROBE_S, "timeoutSeconds": 5}
