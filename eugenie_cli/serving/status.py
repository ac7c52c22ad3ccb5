"""The status of a model server: its process, its container if it runs in one, and the versions that it serves."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import tls
from eugenie_cli.serving.health import ASK_TIMEOUT_S
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.tfserving.errors import ModelServerError


@dataclass(frozen=True)
class GpuUse:
    """A GPU as the server sees it. Memory in MiB; `utilisation` in percent; None: the GPU does not report the value."""

    index: int
    uuid: str
    name: str
    used_mib: int | None
    total_mib: int | None
    utilisation: int | None


@dataclass(frozen=True)
class ServedModel:
    """A version on the server. `state`: START, LOADING, AVAILABLE, UNLOADING or END; `error`: the reason for END."""

    name: str
    version: int
    state: str
    error: str


@dataclass(frozen=True)
class ContainerStatus:
    """The server's container as the engine reports it. `health`: healthy, unhealthy or starting; `restarts`: restarts
    by the engine since the container was created; `rest`: `host:port` of the REST API, empty if it is not published."""

    id: str
    name: str
    image: str
    image_id: str
    health: str
    restarts: int
    rest: str
    gpus: tuple[GpuUse, ...] = ()


@dataclass(frozen=True)
class ServingStatus:
    """The current status of the model server. `state`: running, not answering, crashed, stopped, or restarting (a
    container); for a server that eugenie does not manage (`serving.address`), reachable or unreachable. `socket`:
    `unix:/path`, empty without one. `rest`: `http://host:port` of the REST API and the metrics, empty if they are not
    enabled. `why`: why it does not answer, empty when it answers or does not run. `unserved`: why an exported class,
    or a released version of one, is not served."""

    state: str
    pid: int | None
    address: str
    log: str
    models: tuple[ServedModel, ...]
    socket: str = ""
    rest: str = ""
    container: ContainerStatus | None = None
    why: str = ""
    unserved: tuple[str, ...] = ()


def served_models(address: str, site: HasServing) -> tuple[ServedModel, ...]:
    """The versions of the site's classes on the server at `address`. Raises EugenieError when it does not answer."""
    models: list[ServedModel] = []
    credentials = tls.credentials_of(site)
    with tls.client_of(credentials, address) as client:
        for name in sorted(site.classes):
            try:
                versions = client.status(name, timeout=ASK_TIMEOUT_S)
            except ModelServerError as error:
                if error.code is grpc.StatusCode.NOT_FOUND:  # not exported yet
                    continue
                raise EugenieError(
                    tls.describe_error(credentials, error), "eugenie serve status", ExitCode.UNREACHABLE
                ) from error
            models += [ServedModel(name, status.version, status.state, status.error_message) for status in versions]
    return tuple(models)
