"""The specification of a site's model server container: `rendering` turns it into an SDK call or a command line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from eugenie_cli.serving import server_config
from eugenie_cli.serving.container import files, gpus
from eugenie_cli.serving.container.gpus import GpuRequest
from eugenie_cli.serving.server_config import GRPC_PORT, REST_PORT
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of

MODELS, CONFIG = "/models", "/config"
"""Folders in the container: the models, and the files that the server reads at start."""

NOBODY = 65534
"""User ID of the server when root starts it: a user that owns nothing, `nobody` in every distribution."""

PIDS = 4096
"""Limit for processes and threads. TensorFlow starts a few thread pools per core: hundreds of threads on a large
machine."""

TMP = "rw,noexec,nosuid,nodev,size=64m,mode=1777"
"""The only writable folder, in memory. The server does not need it, but libraries expect it."""

LOG_SIZE, LOG_FILES = "10m", 3

HEALTH = (
    "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} "
    '&& printf "GET /v1/models/_ HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n" >&3 '
    '|| exit; read -r -t 4 -d "" said <&3; [[ $said == HTTP/1.* ]]\''
)
"""TensorFlow Serving's images have bash, but neither curl nor Python. The check passes if the REST API answers at all:
it listens after the gRPC port, which opens once the initial models are loaded. A model that cannot be loaded is
reported in the status; a restart would not help. The response is read to its end, because otherwise the server logs a
closed connection."""

NANOSECOND = 1_000_000_000

LABEL_SITE, LABEL_WORKSPACE, LABEL_HASH = "eugenie.site", "eugenie.workspace", "eugenie.config-hash"
LABEL_COLOUR = "eugenie.colour"

BLUE, GREEN = "blue", "green"
"""The two containers of an upgrade. Their names and folders end in the colour, so they never collide."""


@dataclass(frozen=True)
class Health:
    """The engine's health check of the server. Times in seconds."""

    command: str = HEALTH.format(port=REST_PORT)
    interval_s: int = 10
    timeout_s: int = 5
    retries: int = 3
    start_s: int = 180
    """Start period, in which failures do not count: large models take minutes to load."""


@dataclass(frozen=True)
class Mount:
    """A folder of this machine, mounted read-only into the container."""

    source: str
    target: str


@dataclass(frozen=True)
class Published:
    """A port of the container, and the host address and port that it is published on."""

    inside: int
    host: str
    port: int


@dataclass(frozen=True)
class ContainerSpec:
    """Everything that determines what the container is and what it is allowed to do."""

    name: str
    image: str
    user: str
    """uid:gid."""
    arguments: tuple[str, ...]
    """Arguments of tensorflow_model_server."""
    mounts: tuple[Mount, ...]
    published: tuple[Published, ...]
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    gpus: GpuRequest | None = None
    entrypoint: str = "tensorflow_model_server"
    """Not the image's script: it remains process 1 and does not forward signals."""
    health: Health = Health()
    read_only: bool = True
    tmpfs: Mapping[str, str] = field(default_factory=lambda: {"/tmp": TMP})  # noqa: S108 - the container's own
    dropped: tuple[str, ...] = ("ALL",)
    security: tuple[str, ...] = ("no-new-privileges:true",)
    pids: int = PIDS
    restart: str = "unless-stopped"
    log_options: Mapping[str, str] = field(default_factory=lambda: {"max-size": LOG_SIZE, "max-file": str(LOG_FILES)})

    @property
    def config_hash(self) -> str:
        """Hash of everything except the container's address: containers with equal hashes are interchangeable."""
        return self.labels[LABEL_HASH]

    @property
    def colour(self) -> str:
        """BLUE or GREEN."""
        return self.labels[LABEL_COLOUR]

    def reached_at(self, ports: Mapping[int, int]) -> ContainerSpec:
        """The same server on other host ports. `ports`: container port -> host port."""
        moved = tuple(replace(port, port=ports.get(port.inside, port.port)) for port in self.published)
        return replace(self, published=moved)


def specify(site: HasServing, colour: str = BLUE, *, cdi: bool = False) -> ContainerSpec:
    """The specification of a site's container, from the site file and the file system alone.

    Ports are those of the site file; 0 means any free port. `cdi`: the engine provides GPUs as CDI devices.
    """
    serving, workspace = site.serving, workspace_of(site)
    request = gpus.request(serving.gpus, cdi=cdi)
    published = [Published(GRPC_PORT, _host(serving.host), serving.port)]
    if serving.rest_port is not None:
        published.append(Published(REST_PORT, _host(serving.host), serving.rest_port))
    spec = ContainerSpec(
        name=f"eugenie-{site.site}-{_short(str(workspace.root.absolute()))}-{colour}",
        image=server_config.image(site),
        user=user(),
        arguments=_arguments(site),
        mounts=(
            Mount(str(files.models_folder(workspace)), MODELS),
            Mount(str(files.folder(workspace, colour).absolute()), CONFIG),
        ),
        published=tuple(published),
        labels={LABEL_SITE: site.site, LABEL_WORKSPACE: str(workspace.root.absolute()), LABEL_COLOUR: colour},
        environment=gpus.ENVIRONMENT if request is not None else {},
        gpus=request,
    )
    return replace(spec, labels={**spec.labels, LABEL_HASH: _hash(spec, files.fixed(site), colour)})


def user(uid: int | None = None, gid: int | None = None) -> str:
    """uid:gid of the server: the caller's, or nobody's if the caller is root."""
    uid, gid = os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid
    return f"{NOBODY}:{NOBODY}" if uid == 0 else f"{uid}:{gid}"


def _arguments(site: HasServing) -> tuple[str, ...]:
    serving = site.serving
    arguments = [
        f"--port={GRPC_PORT}",
        f"--rest_api_port={REST_PORT}",
        f"--model_config_file={CONFIG}/{files.MODELS_CONFIG}",
        # poll a file instead of using HandleReloadConfigRequest: any client of that call could serve any model
        f"--model_config_file_poll_wait_seconds={server_config.poll_seconds(site)}",
        f"--monitoring_config_file={CONFIG}/{files.MONITORING}",
        f"--file_system_poll_wait_seconds={server_config.poll_seconds(site)}",
        "--allow_version_labels_for_unavailable_models=true",
    ]
    if server_config.joins_requests(site):
        arguments += ["--enable_batching=true", f"--batching_parameters_file={CONFIG}/{files.BATCHING}"]
    if serving.memory_fraction is not None:
        arguments.append(f"--per_process_gpu_memory_fraction={serving.memory_fraction}")
    return tuple(arguments)


def _hash(spec: ContainerSpec, contents: Mapping[str, str], colour: str) -> str:
    """Hash of the specification and the files that the server reads at start; it does not depend on the colour."""
    document = asdict(replace(spec, name="", labels={}))
    document["mounts"] = [[mount.source.removesuffix(colour), mount.target] for mount in spec.mounts]
    return _short(json.dumps([document, dict(contents)], sort_keys=True, default=str), 16)


def _short(text: str, digits: int = 6) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def _host(host: str) -> str:
    return host.strip("[]")
