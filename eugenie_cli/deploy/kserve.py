"""KServe: an InferenceService for each class, on KServe's TensorFlow Serving runtime.

Each service is pinned to one version, mounted where TensorFlow Serving expects a version's folder. So a new version is
a new revision, and canaries are KServe's own: a share of the requests goes to the newest revision, the rest to the one
rolled out before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eugenie_cli.deploy import kubernetes, model_server, pods
from eugenie_cli.deploy.request import Document, Request, refuse_tls
from eugenie_cli.deploy.yaml_text import dump
from eugenie_cli.serving import server_config
from eugenie_cli.serving.server_config import ReleasedModel

FILE = "inference-services.yaml"
RUNTIME = "kserve-tensorflow-serving"
"""The ClusterServingRuntime that KServe includes."""

GRPC_PORT = 9000
"""The gRPC port of that runtime's server."""

FEWEST, MOST = 1, 3
CORES, MEMORY = "1", "2Gi"
"""Requests of a server with one model."""

MOUNT = "/mnt/models"


def documents(request: Request) -> list[Document]:
    """`inference-services.yaml`. Raises EugenieError (REFUSED) when a class has no released version."""
    refuse_tls(request)
    return [Document(FILE, dump(resources(request)))]


def resources(request: Request) -> list[dict[str, Any]]:
    """The service account for the store and the claim for the models, if needed, then a service for each class."""
    prerequisites: list[dict[str, Any]] = []
    if request.options.secret is not None and request.options.service_account is None and _remote(request):
        prerequisites.append(_account(request))
    if request.store.kind == "folder":
        prerequisites.append(kubernetes.claim(request))
    return [*prerequisites, *(_service(request, model) for model in request.models)]


def steps(request: Request, folder: Path) -> list[str]:
    """What to do with the files."""
    addresses = ", ".join(f"{request.name_of(model.name)} ({model.name})" for model in request.models)
    secret_step = kubernetes.secret_step(request) if request.store.kind == "gs" else _secret_step(request)
    return [
        *kubernetes.where_models_go(request),
        *secret_step,
        f"kubectl apply --filename {folder / FILE}",
        f"kubectl get inferenceservices shows the address of each: {addresses}",
    ]


def uri(request: Request, class_name: str, version: int) -> str:
    """The URI of a version in the notation of KServe's storage initializer."""
    store = request.store
    below = (class_name, str(version))
    if store.kind == "folder":
        return "/".join([f"pvc://{request.name}{pods.CLAIM_SUFFIX}", *below])
    if store.kind == "azure":
        path = [part for part in (store.bucket, store.path, *below) if part]
        return "/".join([f"https://{store.account}.blob.core.windows.net", *path])
    return store.uri(*below)


def _service(request: Request, model: ReleasedModel) -> dict[str, Any]:
    options, gpus = request.options, request.gpus()
    predictor: dict[str, Any] = {}
    percent = request.canary(model)
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    predictor |= {"minReplicas": FEWEST, "maxReplicas": MOST}
    if account := options.service_account or (_account_name(request) if options.secret and _remote(request) else None):
        predictor["serviceAccountName"] = account
    version = request.champion(model) if percent is None else request.newest(model)
    limits: dict[str, Any] = {"memory": MEMORY, **({"nvidia.com/gpu": gpus} if gpus else {})}
    predictor |= {
        "storageUris": [{"uri": uri(request, model.name, version), "mountPath": f"{MOUNT}/{version}"}],
        "model": {
            "modelFormat": {"name": "tensorflow", "version": "2"},
            "runtime": RUNTIME,
            "protocolVersion": "grpc-v1",
            # the release in KServe's runtime is years older than the TensorFlow that exported the model
            "image": server_config.image(request.site),
            # the last of two values applies: clients name a model by its class, not by its service
            "args": [f"--model_name={model.name}", *model_server.gpu_arguments(request.site, gpus > 0)],
            "ports": [{"name": "h2c", "containerPort": GRPC_PORT, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": CORES, "memory": MEMORY}, "limits": limits},
        },
    }
    name = request.name_of(model.name)
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "labels": request.labels(name),
            "annotations": {"eugenie/class": model.name, "eugenie/version": str(version)},
        },
        "spec": {"predictor": predictor},
    }


def _remote(request: Request) -> bool:
    return request.store.kind != "folder"


def _account_name(request: Request) -> str:
    return f"{request.name}-models"


def _account(request: Request) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": kubernetes.metadata_of(request, _account_name(request)),
        "automountServiceAccountToken": False,
        "secrets": [{"name": request.options.secret}],
    }


def _secret_step(request: Request) -> list[str]:
    if request.options.secret is None or not _remote(request):
        return []
    return [
        f"create the secret {request.options.secret} in the form that KServe's storage initializer expects for"
        f" {request.store.kind}"
    ]
