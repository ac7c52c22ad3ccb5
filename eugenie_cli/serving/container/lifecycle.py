"""The container of a site's model server: started, upgraded, looked at and stopped, by one command at a time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eugenie_cli.engines import container_record
from eugenie_cli.engines.container_record import ContainerRecord
from eugenie_cli.errors import EugenieError
from eugenie_cli.locks import alone
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import release_config, server_config
from eugenie_cli.serving.container import blue_green, docker, files, image, launch, ports, preflight
from eugenie_cli.serving.container.blue_green import Old
from eugenie_cli.serving.container.spec import (
    BLUE,
    GREEN,
    GRPC_PORT,
    LABEL_HASH,
    LABEL_WORKSPACE,
    ContainerSpec,
    specify,
)
from eugenie_cli.serving.health import is_serving
from eugenie_cli.serving.local import LOCK
from eugenie_cli.serving.status import ContainerStatus, ServingStatus, served_models
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.workspace import Workspace

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

ALIVE = frozenset({"running", "restarting", "paused"})
"""States in which the engine itself looks after a container."""


@dataclass(frozen=True)
class _Found:
    """The container of the record, as the engine has it; None when it has it no more."""

    record: ContainerRecord
    container: Container | None

    @property
    def state(self) -> str:
        return self.container.status if self.container is not None else "gone"


def start(site: HasServing, progress: Progress = SILENT, *, offline: bool = False) -> ServingStatus:
    """Make the site's container run as the site file says, and wait until it answers.

    What runs so already is left alone, but for its list of models. One of another image or configuration is replaced
    once the new one has proved itself (`blue_green`). `offline`: no image is pulled.

    Raises EugenieError: something lacks (`preflight`), or the container does not come up; of a start that fails
    nothing is left, and after an upgrade that fails the old container serves.
    """
    workspace = workspace_of(site)
    with alone(workspace.run / LOCK):
        _make_so(site, workspace, progress, offline=offline)
    return status(site)


def revive(site: HasServing, progress: Progress = SILENT) -> bool:
    """Start the site's container again if it is there no more, or ended and the engine leaves it so.

    False when it runs, or was stopped meanwhile. Raises EugenieError as `start` does; it still counts as started then.
    """
    workspace = workspace_of(site)
    with alone(workspace.run / LOCK):
        before = container_record.read(workspace)
        if before is None or is_alive(workspace):
            return False
        try:
            _make_so(site, workspace, progress, offline=True)
        except BaseException:
            container_record.write(workspace, before)
            raise
    return True


def stop(workspace: Workspace, progress: Progress = SILENT) -> bool:
    """Stop and remove the site's container, and what earlier ones left. True when one ran."""
    with alone(workspace.run / LOCK):
        client, _ = _engine(container_record.read(workspace))
        found = _of_workspace(client, workspace)
        ran = any(each.status in ALIVE for each in found)
        with progress.task("stopping the model server"):
            for each in found:
                launch.retire(each)
        for colour in (BLUE, GREEN):
            files.remove(workspace, colour)
        container_record.remove(workspace)
    return ran


def status(site: HasServing) -> ServingStatus:
    """How the container is, the model versions on it, and its GPUs. Raises EugenieError: the engine is away."""
    workspace = workspace_of(site)
    kept = container_record.read(workspace)
    if kept is None:
        return ServingStatus("stopped", None, "", "", ())
    found = _found(docker.connect(kept.engine), kept)
    log = f"docker logs {kept.name}"
    if found is None or found.container is None:
        return ServingStatus("crashed", None, kept.address, log, ())
    container = found.container
    state = _state(found)
    running = state in ("running", "not answering")
    details = ContainerStatus(
        container.short_id,
        kept.name,
        container.attrs["Config"]["Image"],
        container.attrs["Image"],
        launch.health(container),
        launch.restarts_of(container),
        kept.rest,
        launch.gpu_use(container) if running and site.serving.gpus != "none" else (),
    )
    models = served_models(kept.address, site) if state == "running" else ()
    pid = container.attrs["State"].get("Pid") or None
    return ServingStatus(state, pid, kept.address, log, models, container=details)


def is_alive(workspace: Workspace) -> bool:
    """Whether the engine looks after the site's container now. False when the engine is away too."""
    kept = container_record.read(workspace)
    if kept is None:
        return False
    try:
        found = _found(docker.connect(kept.engine), kept)
    except EugenieError:
        return False
    return found is not None and found.state in ALIVE


def _make_so(site: HasServing, workspace: Workspace, progress: Progress, *, offline: bool) -> None:
    """`start`, by one at a time."""
    before = container_record.read(workspace)
    client, url = _engine(before)
    host = preflight.look(client)
    release_config.fetch(site, progress)
    preflight.check(site, host)
    found = _found(client, before)
    picture = image.provide(client, server_config.image(site), progress, offline=offline)
    _clear(client, workspace, keep=found)
    spec = specify(site, found.record.colour if found is not None else BLUE, cdi=host.gives_gpus_by_cdi)
    if found is None or found.container is None or found.state != "running":
        _first(client, url, site, spec, found, progress)
    elif _differs(found.container, spec, picture):
        _replace(client, url, site, found.record, found.container, host.gives_gpus_by_cdi, progress)
    else:
        _refresh(site, found.record, found.container, progress)


def _engine(kept: ContainerRecord | None) -> tuple[DockerClient, str]:
    """The engine that has the container, and its URL; the one of DOCKER_HOST when there is none, or it is gone."""
    now = docker.url_of_engine()
    if kept is not None and kept.engine != now:
        with contextlib.suppress(EugenieError):
            return docker.connect(kept.engine), kept.engine
    return docker.connect(now), now


def _state(found: _Found) -> str:
    if found.state == "running":
        return "running" if is_serving(found.record.address) else "not answering"
    return "restarting" if found.state == "restarting" else "crashed"


def _found(client: DockerClient, kept: ContainerRecord | None) -> _Found | None:
    from docker.errors import NotFound

    if kept is None:
        return None
    try:
        return _Found(kept, client.containers.get(kept.container))
    except NotFound:
        return _Found(kept, None)


def _of_workspace(client: DockerClient, workspace: Workspace) -> list[Container]:
    label = f"{LABEL_WORKSPACE}={workspace.root.absolute()}"
    return client.containers.list(all=True, filters={"label": label})


def _clear(client: DockerClient, workspace: Workspace, keep: _Found | None) -> None:
    """Remove what a start that was killed has left beside the container that serves."""
    kept = keep.container.id if keep is not None and keep.container is not None else None
    for each in _of_workspace(client, workspace):
        if each.id != kept:
            launch.discard(each)


def _differs(container: Container, spec: ContainerSpec, picture: Image) -> bool:
    return container.labels.get(LABEL_HASH) != spec.config_hash or container.attrs["Image"] != picture.id


def _first(
    client: DockerClient, url: str, site: HasServing, spec: ContainerSpec, found: _Found | None, progress: Progress
) -> None:
    """The only container: nobody is answered meanwhile."""
    workspace = workspace_of(site)
    if found is not None and found.container is not None:
        launch.discard(found.container)
    container_record.remove(workspace)
    spec = spec.reached_at(ports.first(workspace, spec))
    container = blue_green.begin(client, site, spec, progress)
    try:
        launch.check_answers(site, launch.address_of(spec, GRPC_PORT))
        _take_over(site, container, spec, url)
    except BaseException:
        launch.discard(container)
        files.remove(workspace, spec.colour)
        container_record.remove(workspace)
        raise
    progress.say(f"the model server answers at {launch.address_of(spec, GRPC_PORT)}")


def _replace(
    client: DockerClient,
    url: str,
    site: HasServing,
    kept: ContainerRecord,
    container: Container,
    cdi: bool,
    progress: Progress,
) -> None:
    """The new container of the other colour takes over from the one that serves."""
    workspace = workspace_of(site)
    spec = specify(site, GREEN if kept.colour == BLUE else BLUE, cdi=cdi)
    old = Old(container, kept.address, _outside(container))
    plan = ports.after(workspace, spec, old.ports, held=ports.is_held(workspace, kept.address))
    spec = spec.reached_at(plan.ports)
    if plan.spare is None:
        progress.say(f"the old container serves at {kept.address} until the new one does")
        new = blue_green.move(client, site, old, spec, progress)
    else:
        progress.say("the address stays: the new container is rehearsed beside the old one first")
        new = blue_green.swap(client, site, old, spec, plan.spare, progress)
    _take_over(site, new, spec, url)
    address = launch.address_of(spec, GRPC_PORT)
    moved = f"; it was {kept.address} before" if address != kept.address else ""
    progress.say(f"the model server answers at {address}{moved}")
    launch.retire(container)
    files.remove(workspace, kept.colour)


def follow(site: HasServing) -> None:
    """Let the container that serves take up what is released now: it follows a file."""
    kept = container_record.read(workspace_of(site))
    if kept is not None:
        _tell(site, kept)


def _refresh(site: HasServing, kept: ContainerRecord, container: Container, progress: Progress) -> None:
    """It runs as it should. What was released since is taken up without a new start."""
    launch.await_answer(container, kept.address)
    if _tell(site, kept):
        progress.say("the model server takes up the models that are released now")
    progress.say(f"the model server runs already, at {kept.address}")


def _tell(site: HasServing, kept: ContainerRecord) -> bool:
    """Write the list of models that the server follows. False when it has that list."""
    file = files.folder(workspace_of(site), kept.colour) / files.MODELS_CONFIG
    text = files.models_text(site)
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    files.put(file, text)
    return True


def _take_over(site: HasServing, container: Container, spec: ContainerSpec, url: str) -> None:
    """From now on this one answers for the site."""
    workspace = workspace_of(site)
    ports.settled(workspace, {each.inside: each.port for each in spec.published})
    address = launch.address_of(spec, GRPC_PORT)
    kept = ContainerRecord(str(container.id), spec.name, spec.colour, address, launch.rest_of(spec), url)
    container_record.write(workspace, kept)


def _outside(container: Container) -> dict[int, int]:
    """The published ports, as the engine was told: inside -> outside."""
    bound = container.attrs["HostConfig"]["PortBindings"] or {}
    return {int(inside.partition("/")[0]): int(given[0]["HostPort"]) for inside, given in bound.items() if given}
