"""Starts, upgrades, inspects and stops the container of a site's model server, one command at a time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eugenie_cli.engines import container_record
from eugenie_cli.engines.container_record import ContainerRecord
from eugenie_cli.errors import EugenieError
from eugenie_cli.locks import exclusive
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
"""States in which the engine manages a container."""


@dataclass(frozen=True)
class _RecordedContainer:
    """The recorded container. `container` is None when the engine no longer has it."""

    record: ContainerRecord
    container: Container | None

    @property
    def state(self) -> str:
        return self.container.status if self.container is not None else "gone"


def start(site: HasServing, progress: Progress = SILENT, *, offline: bool = False) -> ServingStatus:
    """Run the site's container as the site file specifies, and wait until it answers.

    A matching container keeps running and only gets its list of models updated. A container with another image or
    configuration is replaced once the new one has proved itself (`blue_green`). `offline`: do not pull an image.

    Raises EugenieError when a prerequisite is missing (`preflight`) or the container does not start. A failed start
    leaves nothing behind; after a failed upgrade the old container keeps serving.
    """
    workspace = workspace_of(site)
    with exclusive(workspace.run / LOCK):
        _reconcile(site, workspace, progress, offline=offline)
    return status(site)


def revive(site: HasServing, progress: Progress = SILENT) -> bool:
    """Start the site's container again if it is gone, or has exited and the engine does not restart it.

    False when it runs, or was stopped meanwhile. Raises EugenieError as `start` does; the container then still counts
    as started.
    """
    workspace = workspace_of(site)
    with exclusive(workspace.run / LOCK):
        before = container_record.read(workspace)
        if before is None or is_alive(workspace):
            return False
        try:
            _reconcile(site, workspace, progress, offline=True)
        except BaseException:
            container_record.write(workspace, before)
            raise
    return True


def stop(workspace: Workspace, progress: Progress = SILENT) -> bool:
    """Stop and remove the site's container and any leftovers of earlier ones. True when one ran."""
    with exclusive(workspace.run / LOCK):
        client, _ = _engine(container_record.read(workspace))
        containers = _of_workspace(client, workspace)
        ran = any(container.status in ALIVE for container in containers)
        with progress.task("stopping the model server"):
            for container in containers:
                launch.retire(container)
        for colour in (BLUE, GREEN):
            files.remove(workspace, colour)
        container_record.remove(workspace)
    return ran


def status(site: HasServing) -> ServingStatus:
    """The status of the container, its model versions and its GPUs. Raises EugenieError: the engine is unreachable."""
    workspace = workspace_of(site)
    record = container_record.read(workspace)
    if record is None:
        return ServingStatus("stopped", None, "", "", ())
    recorded = _recorded(docker.connect(record.engine), record)
    log = f"docker logs {record.name}"
    if recorded is None or recorded.container is None:
        return ServingStatus("crashed", None, record.address, log, ())
    container = recorded.container
    state = _state(recorded)
    running = state in ("running", "not answering")
    details = ContainerStatus(
        container.short_id,
        record.name,
        container.attrs["Config"]["Image"],
        container.attrs["Image"],
        launch.health(container),
        launch.restarts_of(container),
        record.rest,
        launch.gpu_use(container) if running and site.serving.gpus != "none" else (),
    )
    models = served_models(record.address, site) if state == "running" else ()
    pid = container.attrs["State"].get("Pid") or None
    return ServingStatus(state, pid, record.address, log, models, container=details)


def is_alive(workspace: Workspace) -> bool:
    """Whether the engine currently manages the site's container. False also when the engine is unreachable."""
    record = container_record.read(workspace)
    if record is None:
        return False
    try:
        recorded = _recorded(docker.connect(record.engine), record)
    except EugenieError:
        return False
    return recorded is not None and recorded.state in ALIVE


def _reconcile(site: HasServing, workspace: Workspace, progress: Progress, *, offline: bool) -> None:
    """Bring the container in line with the site file. The caller holds the lock."""
    before = container_record.read(workspace)
    client, url = _engine(before)
    host = preflight.look(client)
    release_config.fetch(site, progress)
    preflight.check(site, host)
    recorded = _recorded(client, before)
    server_image = image.provide(client, server_config.image(site), progress, offline=offline)
    _clear(client, workspace, keep=recorded)
    spec = specify(site, recorded.record.colour if recorded is not None else BLUE, cdi=host.gives_gpus_by_cdi)
    if recorded is None or recorded.container is None or recorded.state != "running":
        _first(client, url, site, spec, recorded, progress)
    elif _differs(recorded.container, spec, server_image):
        _replace(client, url, site, recorded.record, recorded.container, host.gives_gpus_by_cdi, progress)
    else:
        _refresh(site, recorded.record, recorded.container, progress)


def _engine(record: ContainerRecord | None) -> tuple[DockerClient, str]:
    """The recorded container's engine and its URL; without a record, or if it is unreachable, the current engine."""
    current = docker.url_of_engine()
    if record is not None and record.engine != current:
        with contextlib.suppress(EugenieError):
            return docker.connect(record.engine), record.engine
    return docker.connect(current), current


def _state(recorded: _RecordedContainer) -> str:
    if recorded.state == "running":
        return "running" if is_serving(recorded.record.address) else "not answering"
    return "restarting" if recorded.state == "restarting" else "crashed"


def _recorded(client: DockerClient, record: ContainerRecord | None) -> _RecordedContainer | None:
    from docker.errors import NotFound

    if record is None:
        return None
    try:
        return _RecordedContainer(record, client.containers.get(record.container))
    except NotFound:
        return _RecordedContainer(record, None)


def _of_workspace(client: DockerClient, workspace: Workspace) -> list[Container]:
    label = f"{LABEL_WORKSPACE}={workspace.root.absolute()}"
    return client.containers.list(all=True, filters={"label": label})


def _clear(client: DockerClient, workspace: Workspace, keep: _RecordedContainer | None) -> None:
    """Remove the containers that a killed start left behind, except the one that serves."""
    serving_id = keep.container.id if keep is not None and keep.container is not None else None
    for container in _of_workspace(client, workspace):
        if container.id != serving_id:
            launch.discard(container)


def _differs(container: Container, spec: ContainerSpec, server_image: Image) -> bool:
    return container.labels.get(LABEL_HASH) != spec.config_hash or container.attrs["Image"] != server_image.id


def _first(
    client: DockerClient,
    url: str,
    site: HasServing,
    spec: ContainerSpec,
    recorded: _RecordedContainer | None,
    progress: Progress,
) -> None:
    """Start the only container; no requests are served until it is ready."""
    workspace = workspace_of(site)
    if recorded is not None and recorded.container is not None:
        launch.discard(recorded.container)
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
    record: ContainerRecord,
    container: Container,
    cdi: bool,
    progress: Progress,
) -> None:
    """Replace the running container with a new one of the other colour."""
    workspace = workspace_of(site)
    spec = specify(site, GREEN if record.colour == BLUE else BLUE, cdi=cdi)
    old = Old(container, record.address, _host_ports(container))
    plan = ports.after(workspace, spec, old.ports, held=ports.is_held(workspace, record.address))
    spec = spec.reached_at(plan.ports)
    if plan.spare is None:
        progress.say(f"the old container keeps serving at {record.address} until the new one is ready")
        new = blue_green.move(client, site, old, spec, progress)
    else:
        progress.say("the address must stay the same: the new container is first rehearsed on spare ports")
        new = blue_green.swap(client, site, old, spec, plan.spare, progress)
    _take_over(site, new, spec, url)
    address = launch.address_of(spec, GRPC_PORT)
    moved = f"; the previous address was {record.address}" if address != record.address else ""
    progress.say(f"the model server answers at {address}{moved}")
    launch.retire(container)
    files.remove(workspace, record.colour)


def follow(site: HasServing) -> None:
    """Have the running container load the current releases, by updating the file that it follows."""
    record = container_record.read(workspace_of(site))
    if record is not None:
        _update_models(site, record)


def _refresh(site: HasServing, record: ContainerRecord, container: Container, progress: Progress) -> None:
    """The running container matches the site file: load newly released models without a restart."""
    launch.await_answer(container, record.address)
    if _update_models(site, record):
        progress.say("the model server loads the newly released models")
    progress.say(f"the model server is already running at {record.address}")


def _update_models(site: HasServing, record: ContainerRecord) -> bool:
    """Write the list of models that the server follows. False when the list is unchanged."""
    file = files.folder(workspace_of(site), record.colour) / files.MODELS_CONFIG
    text = files.models_text(site)
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    files.put(file, text)
    return True


def _take_over(site: HasServing, container: Container, spec: ContainerSpec, url: str) -> None:
    """Record this container as the one that serves the site."""
    workspace = workspace_of(site)
    ports.settled(workspace, {published.inside: published.port for published in spec.published})
    address = launch.address_of(spec, GRPC_PORT)
    record = ContainerRecord(str(container.id), spec.name, spec.colour, address, launch.rest_of(spec), url)
    container_record.write(workspace, record)


def _host_ports(container: Container) -> dict[int, int]:
    """The published ports as configured in the engine: container port -> host port."""
    bindings = container.attrs["HostConfig"]["PortBindings"] or {}
    return {int(inside.partition("/")[0]): int(hosts[0]["HostPort"]) for inside, hosts in bindings.items() if hosts}
