"""KServe: an InferenceService for each class, on KServe's runtime of TensorFlow Serving.

Each is pinned to one version, mounted where TensorFlow Serving looks for a version's number. A new version is a new
revision then, and a canary is what KServe calls one: a share of the requests for the newest revision, the rest for
the one that was rolled out before it.
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
"""The ClusterServingRuntime that comes with KServe."""

GRPC_PORT = 9000
"""Where that runtime's server speaks gRPC."""

FEWEST, MOST = 1, 3
CORES, MEMORY = "1", "2Gi"
"""Of a server of one model."""

MOUNT = "/mnt/models"


def documents(request: Request) -> list[Document]:
    """`inference-services.yaml`. Raises EugenieError (REFUSED) when no version of a class is released."""
    refuse_tls(request)
    return [Document(FILE, dump(resources(request)))]


def resources(request: Request) -> list[dict[str, Any]]:
    """The account that reads the store and the claim of the models, if they are needed, then a service a class."""
    made: list[dict[str, Any]] = []
    if request.options.secret is not None and request.options.service_account is None and _remote(request):
        made.append(_account(request))
    if request.store.kind == "folder":
        made.append(kubernetes.claim(request))
    return [*made, *(_service(request, model) for model in request.models)]


def steps(request: Request, folder: Path) -> list[str]:
    """What comes after writing."""
    addresses = ", ".join(f"{request.name_of(model.name)} ({model.name})" for model in request.models)
    told = kubernetes.secret_step(request) if request.store.kind == "gs" else _secret_step(request)
    return [
        *kubernetes.where_models_go(request),
        *told,
        f"kubectl apply --filename {folder / FILE}",
        f"kubectl get inferenceservices shows the address of each: {addresses}",
    ]


def uri(request: Request, class_name: str, version: int) -> str:
    """A version, as KServe's storage initializer spells places."""
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
            # KServe's own choice of a release is years older than what exported the model
            "image": server_config.image(request.site),
            # of two the last one holds: callers name a model by its class, not by its service
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
        f"make the secret {request.options.secret} as KServe's storage initializer reads it for {request.store.kind}"
    ]
