"""Another image or configuration, while the old one serves: the new container proves itself first.

Two containers cannot publish one port. So where the new one may listen elsewhere the address *moves*: it is started on
spare ports, is healthy, answers, is recorded, and only then the old one is stopped. Where the address must stay (a port
of the site file, or one that a running stream job holds) the two *swap*: the new one is rehearsed on spare ports, then
the old one is stopped and the new one started in its place, for which callers wait. A swap that fails is turned back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Progress
from eugenie_cli.serving.container import files, launch
from eugenie_cli.serving.container.spec import GRPC_PORT, ContainerSpec
from eugenie_cli.serving.status import ServedModel, served_models
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

SWAPPING = "stopping the old container, starting the new one in its place"


@dataclass(frozen=True)
class Old:
    """The container that serves now, and where. `ports`: inside -> outside."""

    container: Container
    address: str
    ports: Mapping[int, int]


def move(client: DockerClient, site: HasServing, old: Old, spec: ContainerSpec, progress: Progress) -> Container:
    """Start `spec` beside the old one, which is left as it is. Returns the container that can take over.

    Raises EugenieError: nothing of the new one is left, and the old one serves on.
    """
    served = served_models(old.address, site)
    try:
        return _proven(client, site, spec, served, progress)
    except EugenieError as error:
        raise EugenieError(
            f"the upgrade failed, and the old container serves on at {old.address}: {error.reason}",
            error.hint,
            error.exit_code,
        ) from error


def swap(
    client: DockerClient, site: HasServing, old: Old, spec: ContainerSpec, spare: Mapping[int, int], progress: Progress
) -> Container:
    """Rehearse `spec` on `spare` ports, then put it in the old one's place. The old one is stopped then, not removed.

    Raises EugenieError: nothing of the new one is left, and the old one serves on, or again.
    """
    launch.discard(move(client, site, old, spec.reached_at(spare), progress))
    new: Container | None = None
    try:
        new = launch.create(client, spec)
        progress.say(SWAPPING)
        old.container.stop(timeout=launch.STOP_S)
        launch.start(new, spec, progress)
        launch.check_answers(site, launch.address_of(spec, GRPC_PORT))
    except BaseException as error:
        if new is not None:
            launch.discard(new)
        files.remove(workspace_of(site), spec.colour)
        _back(old, error, progress)
        raise
    return new


def _proven(
    client: DockerClient, site: HasServing, spec: ContainerSpec, served: tuple[ServedModel, ...], progress: Progress
) -> Container:
    """A container that is healthy, answers, and serves all that was served."""
    new = begin(client, site, spec, progress)
    try:
        found = launch.check_answers(site, launch.address_of(spec, GRPC_PORT))
        lost = _available(served) - _available(found)
        if lost:
            raise EugenieError(f"the new container does not serve {', '.join(sorted(lost))}", "eugenie serve status")
    except BaseException:
        launch.discard(new)
        files.remove(workspace_of(site), spec.colour)
        raise
    return new


def begin(client: DockerClient, site: HasServing, spec: ContainerSpec, progress: Progress) -> Container:
    """Files written, container made, started, healthy. Of one that does not come so far nothing is left."""
    workspace = workspace_of(site)
    container: Container | None = None
    try:
        files.write(site, spec.colour)
        container = launch.create(client, spec)
        launch.start(container, spec, progress)
    except BaseException:  # an interrupt too
        if container is not None:
            launch.discard(container)
        files.remove(workspace, spec.colour)
        raise
    return container


def _back(old: Old, error: BaseException, progress: Progress) -> None:
    """Start the old one again, which has its port and its files still."""
    progress.say("the new container failed in the old one's place: starting the old one again")
    old.container.start()
    try:
        launch.await_answer(old.container, old.address)
    except EugenieError as again:
        raise EugenieError(
            f"the upgrade failed, and the old container does not come back: {again.reason}",
            "eugenie serve logs, then eugenie serve start",
        ) from error
    if isinstance(error, EugenieError):
        raise EugenieError(
            f"the upgrade failed, and the old container serves again at {old.address}: {error.reason}",
            error.hint,
            ExitCode.REFUSED if error.exit_code is ExitCode.FAILED else error.exit_code,
        ) from error


def _available(served: tuple[ServedModel, ...]) -> set[str]:
    return {each.name for each in served if each.state == "AVAILABLE"}
