"""The addresses of a site's engines: from the site file, or from the run files of the engines that eugenie started.

When an embedded engine is not running, the functions raise EugenieError (UNREACHABLE) with the command that starts it.
An address from the site file is returned unchanged and unchecked.
"""

from __future__ import annotations

from eugenie_cli.engines import ports, process
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.interfaces import HasServing, HasTracking, HasWorkspace
from eugenie_cli.site.kafka import KafkaAccess
from eugenie_cli.site.schema import Site

EMBEDDED, LOCAL, DOCKER = "embedded", "local", "docker"

SOCKET = "socket"
"""Key of the run file's `details` with the address of the model server's unix socket."""

START, SERVE = "eugenie up", "eugenie serve start"


def kafka(access: KafkaAccess) -> str:
    """Bootstrap servers: `host:port[,host:port...]`."""
    if access.kafka.bootstrap != EMBEDDED:
        return access.kafka.bootstrap
    return _running(access, "kafka", "the Kafka broker", START)


def flink(site: Site) -> str:
    """The JobManager's REST address: `http://host:port`."""
    if site.stream.flink != EMBEDDED:
        return site.stream.flink.rstrip("/")
    return _running(site, "flink-jobmanager", "the Flink cluster", START)


def mlflow(site: HasTracking) -> str | None:
    """The tracking server's `http://host:port`; None for a local store without a running server."""
    if site.tracking.uri != LOCAL:
        return site.tracking.uri
    running = _identify(site, "mlflow")
    return running.address if running is not None else None


def model_server(site: HasServing) -> str:
    """The gRPC address of the model server: `host:port`."""
    if site.serving.address is not None:
        return site.serving.address
    if site.serving.runtime == DOCKER:
        return _of_container(site)
    return _running(site, "serving", "the model server", SERVE)


def model_socket(site: Site) -> str | None:
    """The gRPC address of the model server's unix socket, `unix:/path`, for a stream job on this machine.

    None if Flink or the server is external, or if the server has no socket, as in a container. Raises EugenieError
    (UNREACHABLE) when the site's own server is not running.
    """
    if site.serving.address is not None or site.stream.flink != EMBEDDED:
        return None
    if site.serving.runtime == DOCKER:
        _of_container(site)
        return None
    running = _identified(site, "serving", "the model server", SERVE)
    return running.details.get(SOCKET)


def _of_container(site: HasWorkspace) -> str:
    """The address of the running container. Its port is open while it runs, so the Docker engine is not queried."""
    from eugenie_cli.engines import container_record
    from eugenie_cli.site.load import workspace_of

    record = container_record.read(workspace_of(site))
    if record is None or not ports.answers(record.address):
        raise EugenieError(f"the model server of {site.site} is not running", SERVE, ExitCode.UNREACHABLE)
    return record.address


def _running(site: HasWorkspace, name: str, title: str, command: str) -> str:
    return _identified(site, name, title, command).address


def _identified(site: HasWorkspace, name: str, title: str, command: str) -> process.Process:
    running = _identify(site, name)
    if running is None:
        raise EugenieError(f"{title} of {site.site} is not running", command, ExitCode.UNREACHABLE)
    return running


def _identify(site: HasWorkspace, name: str) -> process.Process | None:
    from eugenie_cli.site.load import workspace_of

    return process.identify(run_file(workspace_of(site), name))
