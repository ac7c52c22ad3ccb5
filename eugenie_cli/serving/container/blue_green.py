"""Upgrades to another image or configuration while the old container serves: the new container proves itself first.

Two containers cannot publish the same port. If the new one may listen on another port, the address *moves*: the new
container starts on spare ports, becomes healthy, answers and is recorded, and only then the old one stops. If the
address must stay (a port of the site file, or one that a running stream job uses), the two *swap*: the new container is
rehearsed on spare ports; then the old one stops and the new one starts in its place, while callers wait. A failed swap
is rolled back.
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

SWAPPING = "stopping the old container and starting the new one in its place"


@dataclass(frozen=True)
class Old:
    """The container that currently serves, and its address. `ports`: container port -> host port."""

    container: Container
    address: str
    ports: Mapping[int, int]


def move(client: DockerClient, site: HasServing, old: Old, spec: ContainerSpec, progress: Progress) -> Container:
    """Start `spec` alongside the unchanged old container. Returns the new container, which is ready to take over.

    Raises EugenieError when the new container fails: it is removed, and the old one keeps serving.
    """
    served = served_models(old.address, site)
    try:
        return _proven(client, site, spec, served, progress)
    except EugenieError as error:
        raise EugenieError(
            f"the upgrade failed; the old container keeps serving at {old.address}: {error.reason}",
            error.hint,
            error.exit_code,
        ) from error


def swap(
    client: DockerClient, site: HasServing, old: Old, spec: ContainerSpec, spare: Mapping[int, int], progress: Progress
) -> Container:
    """Rehearse `spec` on `spare` ports, then start it in the old container's place. The old one stops but is kept.

    Raises EugenieError when the new container fails: it is removed, and the old one keeps serving or is restarted.
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
        _roll_back(old, error, progress)
        raise
    return new


def _proven(
    client: DockerClient, site: HasServing, spec: ContainerSpec, served: tuple[ServedModel, ...], progress: Progress
) -> Container:
    """Start a container and check that it is healthy, answers, and serves every class that was served before."""
    new = begin(client, site, spec, progress)
    try:
        now_served = launch.check_answers(site, launch.address_of(spec, GRPC_PORT))
        lost = _available(served) - _available(now_served)
        if lost:
            raise EugenieError(f"the new container does not serve {', '.join(sorted(lost))}", "eugenie serve status")
    except BaseException:
        launch.discard(new)
        files.remove(workspace_of(site), spec.colour)
        raise
    return new


def begin(client: DockerClient, site: HasServing, spec: ContainerSpec, progress: Progress) -> Container:
    """Write the files, then create and start the container and wait until it is healthy. A failure leaves nothing."""
    workspace = workspace_of(site)
    container: Container | None = None
    try:
        files.write(site, spec.colour)
        container = launch.create(client, spec)
        launch.start(container, spec, progress)
    except BaseException:  # including an interrupt
        if container is not None:
            launch.discard(container)
        files.remove(workspace, spec.colour)
        raise
    return container


def _roll_back(old: Old, error: BaseException, progress: Progress) -> None:
    """Start the old container again, which still has its ports and files."""
    progress.say("the new container failed in the old one's place: starting the old one again")
    old.container.start()
    try:
        launch.await_answer(old.container, old.address)
    except EugenieError as restart_error:
        raise EugenieError(
            f"the upgrade failed, and the old container does not start again: {restart_error.reason}",
            "eugenie serve logs, then eugenie serve start",
        ) from error
    if isinstance(error, EugenieError):
        raise EugenieError(
            f"the upgrade failed; the old container serves again at {old.address}: {error.reason}",
            error.hint,
            ExitCode.REFUSED if error.exit_code is ExitCode.FAILED else error.exit_code,
        ) from error


def _available(served: tuple[ServedModel, ...]) -> set[str]:
    return {model.name for model in served if model.state == "AVAILABLE"}
