"""Copies an object store's released models into a shared folder with rclone, for a server that cannot read the store.

The store's models.config lists the models; the server follows a copy of it with the folder's paths. One container
copies before the server starts, and another keeps copying. Their script is `templates/serving/copy-models.sh`.
"""

from __future__ import annotations

from typing import Any

from eugenie_cli.deploy.model_server import MODELS_FOLDER, unprivileged
from eugenie_cli.deploy.request import Request
from eugenie_cli.workspace import shipped

IMAGE = "rclone/rclone:1.71.2"
SCRIPT = "copy-models.sh"
SCRIPT_FOLDER = "/opt/eugenie"
SCRIPT_SUFFIX, SETTINGS_SUFFIX = "-copy", "-store"

ROOM = "10Gi"
"""Space for copies of the released versions and, for a while, of the previous ones."""

EVERY_S = 30
"""Interval between checks of the store."""


def script() -> str:
    """The script of both containers."""
    return (shipped("templates") / "serving" / SCRIPT).read_text(encoding="utf-8")


def environment(request: Request) -> dict[str, str]:
    """The variables for the script and rclone, without secrets."""
    return {
        "STORE": request.store.rclone(),
        "MODELS": MODELS_FOLDER,
        "CLASSES": " ".join(model.name for model in request.models),
        # no configuration file: variables hold all settings
        "RCLONE_CONFIG": "/dev/null",
        **request.store.rclone_settings(),
    }


def config_maps(request: Request) -> list[tuple[str, dict[str, str]]]:
    """(name, data) of the containers' ConfigMaps."""
    return [
        (request.name + SCRIPT_SUFFIX, {SCRIPT: script()}),
        (request.name + SETTINGS_SUFFIX, environment(request)),
    ]


def containers(request: Request) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The containers that run before the server, and those that run alongside it."""
    return [_container(request, "copy-models", 0)], [_container(request, "follow-models", EVERY_S)]


def _container(request: Request, name: str, every_s: int) -> dict[str, Any]:
    sources: list[dict[str, Any]] = [{"configMapRef": {"name": request.name + SETTINGS_SUFFIX}}]
    if request.options.secret is not None:  # the last source takes precedence, so a secret may override any setting
        sources.append({"secretRef": {"name": request.options.secret}})
    return {
        "name": name,
        "image": IMAGE,
        "command": ["/bin/sh", f"{SCRIPT_FOLDER}/{SCRIPT}", str(every_s)],
        "envFrom": sources,
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": unprivileged(),
        "volumeMounts": [
            {"name": "models", "mountPath": MODELS_FOLDER},
            {"name": "copy", "mountPath": SCRIPT_FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }
