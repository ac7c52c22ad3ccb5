"""Seldon Core 2: a Server (Triton), a Model for each class, and an Experiment for each canary.

Triton expects a version's SavedModel one folder deeper than TensorFlow Serving does, and a description of its tensors:
both are stored below `triton/` of the store. Clients use the Open Inference Protocol.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eugenie_cli.deploy.request import Document, Request, refuse_tls
from eugenie_cli.deploy.yaml_text import dump
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.load import workspace_of

FILE = "seldon.yaml"
API = "mlops.seldon.io/v1alpha1"
FOLDER = "triton"
CANARY = "--canary"
SERVER_CONFIG = "triton"
"""The ServerConfig for Triton that Seldon includes, and the name of its container."""

MODEL_MEMORY = "256Mi"
"""Seldon uses this to decide how many models a server holds."""


def documents(request: Request) -> list[Document]:
    """`seldon.yaml`, and for each class a description of its tensors for Triton.

    Raises EugenieError (REFUSED) for models in a folder, a class without a released version, or a canary that is not
    newer than the champion.
    """
    refuse_tls(request)
    if request.store.kind == "folder":
        raise EugenieError(
            "Seldon loads models from an object store",
            "set serving.models to s3://, gs:// or abfs://, and copy the exported versions there",
            ExitCode.REFUSED,
        )
    tensors = [
        Document(f"{FOLDER}/{model.name}/config.pbtxt", _tensors(request, model.name)) for model in request.models
    ]
    return [Document(FILE, dump(resources(request))), *tensors]


def resources(request: Request) -> list[dict[str, Any]]:
    """The Server, then the models, then the experiments that refer to them."""
    models, experiments = [], []
    for model in request.models:
        name, champion = request.name_of(model.name), request.champion(model)
        percent = request.canary(model)
        models.append(_model(request, model, name, champion))
        if percent is None:
            continue
        canary = request.name_of(model.name, CANARY)
        models.append(_model(request, model, canary, request.newest(model)))
        experiments.append(_experiment(request, name, canary, percent))
    return [_server(request), *models, *experiments]


def steps(request: Request, folder: Path) -> list[str]:
    """What to do with the files."""
    published = workspace_of(request.site).models
    copies = []
    for model in request.models:
        versions = [request.champion(model)]
        if model.name in request.options.canaries:
            versions.append(request.newest(model))
        place = request.store.uri(FOLDER, model.name)
        copies.append(f"copy {folder / FOLDER / model.name / 'config.pbtxt'} to {place}/config.pbtxt")
        copies += [
            f"copy {published / model.name / str(version)} to {place}/{version}/model.savedmodel"
            for version in versions
        ]
    return [*copies, f"kubectl apply --filename {folder / FILE}", "kubectl wait --for=condition=ready model --all"]


def _server(request: Request) -> dict[str, Any]:
    gpus = request.gpus()
    spec: dict[str, Any] = {
        "serverConfig": SERVER_CONFIG,
        # only this site's models require this capability, so Seldon places no others here
        "extraCapabilities": [request.name],
        "replicas": 1,
    }
    if gpus:
        container = {"name": SERVER_CONFIG, "resources": {"limits": {"nvidia.com/gpu": gpus}}}
        spec["podSpec"] = {"containers": [container]}
    return {"apiVersion": API, "kind": "Server", "metadata": _metadata(request, request.name), "spec": spec}


def _model(request: Request, model: ReleasedModel, name: str, version: int) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "storageUri": _uri(request, model.name),
        "artifactVersion": version,
        "requirements": ["tensorflow", request.name],
        "memory": MODEL_MEMORY,
        "replicas": 1,
    }
    if request.options.secret is not None:
        spec["secretName"] = request.options.secret
    metadata = {**_metadata(request, name), "annotations": {"eugenie/class": model.name}}
    return {"apiVersion": API, "kind": "Model", "metadata": metadata, "spec": spec}


def _experiment(request: Request, name: str, canary: str, percent: int) -> dict[str, Any]:
    candidates = [{"name": name, "weight": 100 - percent}, {"name": canary, "weight": percent}]
    # the split applies to requests for the default candidate
    spec = {"default": name, "candidates": candidates}
    return {"apiVersion": API, "kind": "Experiment", "metadata": _metadata(request, name), "spec": spec}


def _metadata(request: Request, name: str) -> dict[str, Any]:
    return {"name": name, "labels": request.labels(request.name)}


def _uri(request: Request, class_name: str) -> str:
    """The URI in Seldon's notation: the scheme is the name of rclone's remote, whose secret holds Azure's account."""
    store = request.store
    if store.kind == "azure":
        return "/".join(part for part in (f"abfs://{store.bucket}", store.path, FOLDER, class_name) if part)
    return store.uri(FOLDER, class_name)


def _tensors(request: Request, class_name: str) -> str:
    """Triton's description of a class's SavedModel. `max_batch_size: 0` means that dimensions include the batch."""
    sensors = len(request.site.classes[class_name].sensors)
    kind = "KIND_GPU" if request.gpus() else "KIND_CPU"
    lines = ['platform: "tensorflow_savedmodel"', "max_batch_size: 0"]
    for where, name, form, shape in (
        ("input", "asset", "TYPE_STRING", [-1]),
        ("input", "rows", "TYPE_FP32", [-1, -1, sensors]),
        ("output", "score", "TYPE_FP32", [-1, -1]),
        ("output", "contribution", "TYPE_FP32", [-1, -1, sensors]),
        ("output", "expected", "TYPE_FP32", [-1, -1, sensors]),
    ):
        dimensions = ", ".join(str(size) for size in shape)
        lines.append(f'{where} [ {{ name: "{name}", data_type: {form}, dims: [ {dimensions} ] }} ]')
    # the store may have more versions; the Model resource selects one
    lines += [f"instance_group [ {{ kind: {kind} }} ]", "version_policy: { all { } }"]
    return "\n".join(lines) + "\n"
