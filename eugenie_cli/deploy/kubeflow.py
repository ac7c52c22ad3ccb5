"""Kubeflow Pipelines: import, train, evaluate, gate and export, as a pipeline of `eugenie` commands.

The SDK (kfp 2) needs protobuf 6, while TensorFlow 2.20 is tested with 5. So the pipeline is a separate file that
imports none of eugenie's modules, and is compiled where the SDK is installed.
"""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from eugenie_cli.deploy import model_server, model_sync, pods
from eugenie_cli.deploy.names import site_label
from eugenie_cli.deploy.request import Document, Request, refuse_canaries
from eugenie_cli.deploy.yaml_text import dump
from eugenie_cli.site.load import FOLDER, base_of
from eugenie_cli.workspace import shipped

FILE, COMPILED, CLAIM_FILE = "pipeline.py", "pipeline.yaml", "claim.yaml"
SDK = "kfp[kubernetes]>=2.14,<3"
CLAIM_SUFFIX = "-plant"
CLAIM_SIZE = "50Gi"
PLANT = "/plant"
"""Mount path of the claim with the plant's folder: site file, exports and workspace."""

SECRET_KEYS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "azure": ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    "gs": ("RCLONE_CONFIG_MODELS_SERVICE_ACCOUNT_CREDENTIALS",),
}
"""Keys of the store's secret, which the publishing step receives as variables of the same names."""

_LONGEST_LIST = 90
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


def documents(request: Request) -> list[Document]:
    """`pipeline.py`, the claim for the plant's folder, and the Dockerfile of the image for its steps."""
    refuse_canaries(request, "A pipeline")
    templates = shipped("templates") / "kubeflow"
    pipeline = _filled((templates / "pipeline.py.in").read_text(encoding="utf-8"), _values(request))
    dockerfile = (templates / "Dockerfile").read_text(encoding="utf-8")
    return [
        Document(FILE, pipeline),
        Document(CLAIM_FILE, dump([_claim(request)])),
        Document("Dockerfile", dockerfile.replace("@USER@", str(model_server.USER))),
    ]


def steps(request: Request, folder: Path) -> list[str]:
    """What to do with the files."""
    base = base_of(request.site.file)
    preparation = [
        f"copy a wheel of eugenie and its constraints.txt into {folder}, then docker build --tag {image(request)}"
        f" {folder}, and push the image to the cluster's registry",
        f"kubectl apply --filename {folder / CLAIM_FILE}, and copy {base} into the claim; user ID {model_server.USER}"
        " must be able to write there",
    ]
    if request.store.kind != "folder" and request.options.secret is not None:
        keys = ", ".join(SECRET_KEYS[request.store.kind])
        preparation.append(f"create the secret {request.options.secret} with the keys {keys}")
    after_promotion = []
    if request.store.kind == "folder":
        after_promotion = [
            f"after each promotion, copy the new models.config from the claim {request.name}{pods.CLAIM_SUFFIX} into"
            f" the servers' ConfigMap {request.name}{pods.CONFIG_SUFFIX}"
        ]
    return [
        *preparation,
        f"uv run --no-project --with '{SDK}' python {folder / FILE}: writes {folder / COMPILED}",
        f"upload {folder / COMPILED} to Kubeflow Pipelines, and run or schedule it",
        *after_promotion,
    ]


def image(request: Request) -> str:
    """The image of the steps."""
    return request.options.image or f"eugenie:{metadata.version('eugenie')}"


def claim_name(request: Request) -> str:
    """The name of the claim with the plant's folder."""
    return site_label(request.site.site) + CLAIM_SUFFIX


def _claim(request: Request) -> dict[str, Any]:
    """The claim with the plant's folder; ReadWriteMany, because the steps run on different nodes."""
    name = claim_name(request)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": {**request.labels(name), "app.kubernetes.io/name": "training"}},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": CLAIM_SIZE}}},
    }


def _values(request: Request) -> dict[str, Any]:
    """Values for the placeholders `@NAME@`: Python values."""
    site, store = request.site, request.store
    base = base_of(site.file)
    file = site.file.resolve()
    remote = store.kind != "folder"
    secret = request.options.secret if remote else None
    workspace = site.workspace or f".eugenie/{site.site}"
    return {
        "NAME": site_label(site.site),
        "SITE_NAME": site.site,
        "IMAGE": image(request),
        "CLAIM": claim_name(request),
        "PLANT": PLANT,
        "SITE_FILE": f"{PLANT}/{file.relative_to(base) if file.is_relative_to(base) else f'{FOLDER}/{file.name}'}",
        "CLASSES": [model.name for model in request.models],
        "USER": model_server.USER,
        "MODELS": f"{workspace if workspace.startswith('/') else f'{PLANT}/{workspace}'}/models",
        "SERVED_CLAIM": None if remote else request.name + pods.CLAIM_SUFFIX,
        "PUBLISHER": model_sync.IMAGE if remote else None,
        "STORE": store.rclone() if remote else None,
        "PLACE": store.uri() if remote else model_server.MODELS_FOLDER,
        "STORE_SETTINGS": {"RCLONE_CONFIG": "/dev/null", **store.rclone_settings()} if remote else {},
        "STORE_SECRET": secret,
        "STORE_SECRET_KEYS": list(SECRET_KEYS[store.kind]) if secret else [],
    }


def _filled(template: str, values: dict[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda match: _literal(values[match[1]]), template)


def _literal(value: Any) -> str:
    """A Python literal, laid out for a reader."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        lines = [f"    {_literal(key)}: {_literal(item)},\n" for key, item in value.items()]
        return f"{{\n{''.join(lines)}}}" if lines else "{}"
    if isinstance(value, list):
        items = ", ".join(_literal(item) for item in value)
        if len(items) > _LONGEST_LIST:
            items = "".join(f"\n    {_literal(item)}," for item in value) + "\n"
        return f"[{items}]"
    return repr(value)
