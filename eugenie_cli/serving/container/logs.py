"""The container's log, read from its engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from eugenie_cli.engines import container_record
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving.container import docker
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of

if TYPE_CHECKING:
    from docker.models.containers import Container

_POLL_S = 0.5


def logs(
    site: HasServing, lines: int = 100, follow: bool = False, stopped: Callable[[], bool] = lambda: False
) -> Iterator[str]:
    """Yield the last `lines` and, with `follow`, new lines until the server is stopped or `stopped()` returns True.

    After an upgrade, the log continues with the new container. Raises EugenieError when no container was started.
    """
    workspace = workspace_of(site)
    record = container_record.read(workspace)
    if record is None:
        raise EugenieError(f"no container of {site.site} is running", "eugenie serve start", ExitCode.UNREACHABLE)
    client, tail = docker.connect(record.engine), lines
    since = None
    while True:
        container = _get(client, record.container)
        if container is not None:
            began = time.time()
            yield from _lines(_read(container, follow, tail, since))
            since = began if not follow else time.time()
        if not follow or stopped():
            return
        time.sleep(_POLL_S)
        latest = container_record.read(workspace)
        if latest is None:
            return
        if latest.container != record.container:
            record, since = latest, None
        tail = -1  # from now on, all lines


def _get(client: object, name: str) -> Container | None:
    from docker.errors import NotFound

    try:
        return client.containers.get(name)  # type: ignore[attr-defined]
    except NotFound:
        return None


def _read(container: Container, follow: bool, tail: int, since: float | None) -> Iterable[bytes]:
    options: dict[str, object] = {"tail": tail if tail >= 0 else "all"}
    if since is not None:
        options["since"] = since
    if follow:
        stream: Iterable[bytes] = container.logs(stream=True, follow=True, **options)
        return stream
    return [container.logs(**options)]


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in complete)
    if rest:
        yield rest.decode("utf-8", "replace")
