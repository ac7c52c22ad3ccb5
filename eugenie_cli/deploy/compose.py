"""Docker Compose: one TensorFlow Serving for all classes on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eugenie_cli.deploy import model_server, model_sync
from eugenie_cli.deploy.request import Document, Request, refuse_canaries, refuse_tls
from eugenie_cli.deploy.yaml_text import dump
from eugenie_cli.serving import server_config
from eugenie_cli.serving.server_config import METRICS_PATH

FILE = "compose.yaml"
SERVICE, COPIES = "model-server", "models"
CONFIG = "config"
"""Folder next to the file. The folder is mounted, because a mounted file would stay the old one after a replacement."""

CREDENTIALS_FILE, SETTINGS_FILE = "credentials.json", "store.env"
"""Files next to it that the user provides: Google's credentials, or variables with those of another store."""

_TMP = "/tmp:size=1g,mode=1777"  # noqa: S108 - the container's own


def documents(request: Request) -> list[Document]:
    """`compose.yaml` and the files that it mounts. Raises EugenieError (REFUSED) for features that Compose lacks."""
    refuse_canaries(request, "Docker Compose")
    refuse_tls(request)
    gpus = request.site.serving.gpus
    count = gpus if isinstance(gpus, int) else len(gpus) if isinstance(gpus, tuple) else 0
    files = model_server.files(request, threads=count or model_server.CORES)
    written = [Document(f"{CONFIG}/{name}", text) for name, text in sorted(files.items())]
    if not request.store.read_by_tensorflow:
        written.append(Document(model_sync.SCRIPT, model_sync.script()))
    return [Document(FILE, dump([project(request)])), *written]


def project(request: Request) -> dict[str, Any]:
    """The contents of `compose.yaml`."""
    services = {SERVICE: _server(request)}
    project: dict[str, Any] = {"name": request.name, "services": services}
    if not request.store.read_by_tensorflow:
        services[COPIES] = _copies(request)
        project["volumes"] = {COPIES: {}}
    return project


def steps(request: Request, folder: Path) -> list[str]:
    """What to do with the files."""
    credentials = []
    if request.store.kind == "gs" and request.options.secret is not None:
        credentials.append(
            f"put the service account's credentials into {folder / CREDENTIALS_FILE}, readable by user ID 10001"
        )
    elif not request.store.read_by_tensorflow:
        credentials.append(
            f"put the store's credentials into {folder / SETTINGS_FILE}, one variable per line, readable only by you"
        )
    host = request.site.serving.host
    return [
        *request.not_released(),
        *credentials,
        f"docker compose --file {folder / FILE} up --detach --wait",
        f"set the server's address in the site file: serving: {{address: {host}:{_published(request)[0]}}}",
        *model_server.after_promotion(request, "compose", " into the same folder"),
    ]


def health_check() -> list[str]:
    """A command that checks the metrics on the REST API. The image has bash but no curl."""
    request_text = f"GET {METRICS_PATH} HTTP/1.0\\r\\n\\r\\n"
    return [
        "bash",
        "-c",
        f"exec 3<>/dev/tcp/127.0.0.1/{model_server.REST_PORT} && printf '{request_text}' >&3"
        " && read -r -t 5 line <&3 && [[ $line == *' 200 '* ]]",
    ]


def _server(request: Request) -> dict[str, Any]:
    gpus = _devices(request)
    store, server = request.store, {**_common(), "image": server_config.image(request.site)}
    volumes = [_mounted(f"./{CONFIG}", model_server.CONFIG_FOLDER)]
    environment: dict[str, str] = {"CUDA_CACHE_PATH": "/tmp/cuda"} if gpus else {}  # noqa: S108 - the container's own
    if store.kind == "folder":
        volumes.append(_mounted(store.path, model_server.MODELS_FOLDER))
    elif not store.read_by_tensorflow:
        volumes.append({**_volume(), "read_only": True})
        server["depends_on"] = {COPIES: {"condition": "service_healthy"}}
    elif request.options.secret is not None:
        inside = f"{model_server.CONFIG_FOLDER}-store/{CREDENTIALS_FILE}"
        volumes.append(_mounted(f"./{CREDENTIALS_FILE}", inside))
        environment["GOOGLE_APPLICATION_CREDENTIALS"] = inside
    grpc, rest = _published(request)
    ports = [_port(request, grpc, model_server.GRPC_PORT)]
    if rest is not None:
        ports.append(_port(request, rest, model_server.REST_PORT))
    limits: dict[str, Any] = {"limits": {"memory": model_server.MEMORY.replace("Gi", "g"), "pids": 4096}}
    if gpus:
        limits["reservations"] = {"devices": gpus}
    return {
        **server,
        "entrypoint": [model_server.COMMAND],
        "command": model_server.arguments(request, bool(gpus)),
        **({"environment": environment} if environment else {}),
        "ports": ports,
        "volumes": volumes,
        "healthcheck": {
            # Compose needs the shell's dollar signs doubled
            "test": ["CMD", *(word.replace("$", "$$") for word in health_check())],
            "interval": "10s",
            "timeout": "6s",
            "retries": 3,
            "start_period": "10m",
            "start_interval": "2s",
        },
        "stop_grace_period": "30s",
        "deploy": {"resources": limits},
    }


def _copies(request: Request) -> dict[str, Any]:
    script = f"{model_sync.SCRIPT_FOLDER}/{model_sync.SCRIPT}"
    ready = f"[ -s {model_server.MODELS_FOLDER}/{model_server.MODEL_CONFIG} ]"  # copied after the versions
    return {
        **_common(),
        "image": model_sync.IMAGE,
        "user": "0:0",  # root owns a new volume; the folder stays readable for the server
        "entrypoint": ["/bin/sh", script],
        "command": [str(model_sync.EVERY_S)],
        "environment": model_sync.environment(request),
        "env_file": [{"path": f"./{SETTINGS_FILE}", "required": False, "format": "raw"}],
        "volumes": [_mounted(f"./{model_sync.SCRIPT}", script), _volume()],
        "healthcheck": {
            "test": ["CMD-SHELL", ready],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "10m",
            "start_interval": "2s",
        },
    }


def _common() -> dict[str, Any]:
    return {
        "restart": "unless-stopped",
        "user": f"{model_server.USER}:{model_server.USER}",
        "read_only": True,
        "tmpfs": [_TMP],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }


def _mounted(source: str, target: str) -> dict[str, Any]:
    # without `create_host_path: false`, Docker would create a missing folder, empty and owned by root
    bind = {"create_host_path": False}
    return {"type": "bind", "source": source, "target": target, "read_only": True, "bind": bind}


def _volume() -> dict[str, Any]:
    return {"type": "volume", "source": COPIES, "target": model_server.MODELS_FOLDER}


def _published(request: Request) -> tuple[int, int | None]:
    serving = request.site.serving
    rest = None if serving.rest_port is None else serving.rest_port or model_server.REST_PORT
    return serving.port or model_server.GRPC_PORT, rest


def _port(request: Request, published: int, target: int) -> dict[str, Any]:
    host = request.site.serving.host
    return {"target": target, "published": str(published), "host_ip": host, "protocol": "tcp"}


def _devices(request: Request) -> list[dict[str, Any]]:
    gpus = request.site.serving.gpus
    if gpus == "none":
        return []
    which = {"device_ids": list(gpus)} if isinstance(gpus, tuple) else {"count": gpus}
    return [{"driver": "nvidia", **which, "capabilities": ["gpu"]}]
