"""The host ports of a container: those of the site file, or free ports that persist across starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eugenie_cli.engines import job_record as stream_record
from eugenie_cli.engines import ports
from eugenie_cli.serving.container.spec import GRPC_PORT, REST_PORT, ContainerSpec
from eugenie_cli.workspace import Workspace

_KEPT = {GRPC_PORT: "serving", REST_PORT: "serving_rest"}
"""Keys in `run/ports.json`. The local server shares them, so that a change of runtime keeps the address."""

_SPARE = "_next"
_KEYS = {GRPC_PORT: "serving.port", REST_PORT: "serving.rest_port"}


@dataclass(frozen=True)
class Plan:
    """Where a new container listens. `spare`: the ports for its rehearsal, None when it needs none."""

    ports: Mapping[int, int]
    spare: Mapping[int, int] | None = None


def first(workspace: Workspace, spec: ContainerSpec) -> Mapping[int, int]:
    """The ports of the site's only container. Raises EugenieError when a port of the site file is in use."""
    for published in spec.published:
        if published.port:
            ports.check_free(published.port, "the model server", _KEYS[published.inside])
    return _chosen(workspace, spec, _KEPT)


def after(workspace: Workspace, spec: ContainerSpec, old: Mapping[int, int], *, held: bool) -> Plan:
    """The ports of a container that replaces one on the ports `old`. `held`: a job relies on its gRPC address."""
    spare = _chosen(
        workspace, spec.reached_at(dict.fromkeys(_KEPT, 0)), {key: f"{name}{_SPARE}" for key, name in _KEPT.items()}
    )
    specified = {published.inside: published.port for published in spec.published}
    stays = held and not specified[GRPC_PORT]
    final = {
        inside: port or (old.get(inside) if stays else None) or spare[inside] for inside, port in specified.items()
    }
    if set(final.values()) & set(old.values()):
        return Plan(final, spare)
    for inside, port in final.items():
        if port != spare[inside]:
            ports.check_free(port, "the model server", _KEYS[inside])
    return Plan(final)


def settled(workspace: Workspace, taken: Mapping[int, int]) -> None:
    """Record the ports on which the site now listens; the previous ports become the spare ones."""
    ports.keep(workspace.run / "ports.json", {_KEPT[inside]: port for inside, port in taken.items()}, _SPARE)


def is_held(workspace: Workspace, address: str) -> bool:
    """Whether a stream job that was not stopped calls this address; it would not detect a change of address."""
    last = stream_record.load(workspace)
    if last is None or last.savepoint is not None or last.drained:
        return False
    return last.shape.get("model_server") == address


def _chosen(workspace: Workspace, spec: ContainerSpec, names: Mapping[int, str]) -> dict[int, int]:
    free = {names[published.inside]: 0 for published in spec.published if not published.port}
    assigned = ports.assign(workspace.run / "ports.json", free, in_use=())
    return {published.inside: published.port or assigned[names[published.inside]] for published in spec.published}
