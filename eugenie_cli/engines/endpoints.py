"""Where a site's engines listen: as the site file says, or as the run files of those that eugenie started.

Each raises EugenieError (UNREACHABLE), saying which command starts it, when an embedded engine does not run.
An address of the site file is returned as it is written there, unasked.
"""

from __future__ import annotations

from eugenie_cli.engines import ports, process
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.interfaces import HasKafka, HasServing, HasTracking, HasWorkspace
from eugenie_cli.site.schema import Site

EMBEDDED, LOCAL, DOCKER = "embedded", "local", "docker"

SOCKET = "socket"
"""Where the run file of the model server keeps the address of its unix socket, among `details`."""

START, SERVE = "eugenie up", "eugenie serve start"


def kafka(site: HasKafka) -> str:
    """Bootstrap servers: `host:port[,host:port...]`."""
    if site.kafka.bootstrap != EMBEDDED:
        return site.kafka.bootstrap
    return _running(site, "kafka", "the Kafka broker", START)


def flink(site: Site) -> str:
    """The JobManager's REST address: `http://host:port`."""
    if site.stream.flink != EMBEDDED:
        return site.stream.flink.rstrip("/")
    return _running(site, "flink-jobmanager", "the Flink cluster", START)


def mlflow(site: HasTracking) -> str | None:
    """The tracking server's `http://host:port`. None: the store is local, and no server runs."""
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

    None where there is no such thing: Flink or the server is not eugenie's own, or the server listens on its port
    alone, as one in a container does. Raises EugenieError (UNREACHABLE) when the site's own server does not run.
    """
    if site.serving.address is not None or site.stream.flink != EMBEDDED:
        return None
    if site.serving.runtime == DOCKER:
        _of_container(site)
        return None
    running = _identified(site, "serving", "the model server", SERVE)
    return running.details.get(SOCKET)


def _of_container(site: HasWorkspace) -> str:
    """Whose port is published for as long as it runs, so the engine need not be asked."""
    from eugenie_cli.engines import container_record
    from eugenie_cli.site.load import workspace_of

    kept = container_record.read(workspace_of(site))
    if kept is None or not ports.answers(kept.address):
        raise EugenieError(f"the model server of {site.site} does not run", SERVE, ExitCode.UNREACHABLE)
    return kept.address


def _running(site: HasWorkspace, name: str, words: str, command: str) -> str:
    return _identified(site, name, words, command).address


def _identified(site: HasWorkspace, name: str, words: str, command: str) -> process.Process:
    running = _identify(site, name)
    if running is None:
        raise EugenieError(f"{words} of {site.site} does not run", command, ExitCode.UNREACHABLE)
    return running


def _identify(site: HasWorkspace, name: str) -> process.Process | None:
    from eugenie_cli.site.load import workspace_of

    return process.identify(run_file(workspace_of(site), name))
