"""Plain Kubernetes: one TensorFlow Serving for all classes, with as many replicas as the load requires."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eugenie_cli.deploy import cluster_resources, model_server, model_sync, pods
from eugenie_cli.deploy.request import Document, Request, refuse_canaries, refuse_tls
from eugenie_cli.deploy.yaml_text import dump

FILE = "serving.yaml"
CLAIM_SIZE = "10Gi"


def documents(request: Request) -> list[Document]:
    """`serving.yaml`. Raises EugenieError (REFUSED) for features that Kubernetes lacks."""
    refuse_canaries(request, "plain Kubernetes")
    refuse_tls(request)
    return [Document(FILE, dump(resources(request)))]


def resources(request: Request) -> list[dict[str, Any]]:
    """The resources, in the order of their creation."""
    gpus = request.gpus()
    files = model_server.files(request, threads=gpus or model_server.CORES)
    prerequisites = [_config_map(request, request.name + pods.CONFIG_SUFFIX, files)]
    if not request.store.read_by_tensorflow:
        prerequisites += [_config_map(request, name, data) for name, data in model_sync.config_maps(request)]
    if request.store.kind == "folder":
        prerequisites.append(claim(request))
    metadata = metadata_of(request, request.name)
    return [
        *prerequisites,
        _deployment(request, files, gpus, metadata),
        cluster_resources.service(request, metadata),
        cluster_resources.autoscaler(request, metadata),
        cluster_resources.disruption_budget(request, metadata),
        cluster_resources.network_policy(request, metadata),
    ]


def metadata_of(request: Request, name: str) -> dict[str, Any]:
    """Name and labels of a resource."""
    return {"name": name, "labels": request.labels(request.name)}


def claim(request: Request) -> dict[str, Any]:
    """The volume for the models: servers on many nodes read it, and publishing a version writes to it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata_of(request, request.name + pods.CLAIM_SUFFIX),
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": CLAIM_SIZE}}},
    }


def steps(request: Request, folder: Path) -> list[str]:
    """What to do with the files."""
    port = request.site.serving.port or model_server.GRPC_PORT
    return [
        *request.not_released(),
        *where_models_go(request),
        *secret_step(request),
        f"kubectl apply --filename {folder / FILE}",
        f"kubectl rollout status deployment/{request.name}",
        f"set the server's address in the stream's site file: serving: {{address: {request.name}:{port}}}",
        *model_server.after_promotion(request, "kubernetes", ", then kubectl apply again"),
    ]


def where_models_go(request: Request) -> list[str]:
    """How the exported versions get to the place that the manifests expect."""
    if request.store.kind == "folder":
        return [
            f"copy the released versions from {request.store.path} into the claim {request.name}{pods.CLAIM_SUFFIX},"
            " each with one rename"
        ]
    return [f"check that the released versions are at {request.store.uri()}, where eugenie export stores them"]


def secret_step(request: Request) -> list[str]:
    """How to create the secret with the store's credentials: from a file, so that no command line contains them."""
    secret = request.options.secret
    if secret is None or request.store.kind == "folder":
        return []
    origin = f"--from-file={pods.CREDENTIALS}=FILE" if request.store.kind == "gs" else "--from-env-file=FILE"
    return [f"kubectl create secret generic {secret} {origin}"]


def _config_map(request: Request, name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata_of(request, name), "data": data}


def _deployment(request: Request, files: dict[str, str], gpus: int, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        # no number of replicas: every apply would undo the autoscaler's choice
        "spec": {
            "revisionHistoryLimit": 5,
            "selector": {"matchLabels": pods.selector(request)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "progressDeadlineSeconds": pods.START_S + 60,
            "template": pods.template(request, files, gpus),
        },
    }
