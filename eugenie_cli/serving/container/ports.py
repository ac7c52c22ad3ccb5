"""At which ports of this machine a container is reached: those of the site file, or free ones that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eugenie_cli.engines import job_record as stream_record
from eugenie_cli.engines import ports
from eugenie_cli.serving.container.spec import GRPC_PORT, REST_PORT, ContainerSpec
from eugenie_cli.workspace import Workspace

_KEPT = {GRPC_PORT: "serving", REST_PORT: "serving_rest"}
"""In `run/ports.json`. The first is the local server's too: who changes the runtime keeps the address."""

_SPARE = "_next"
_KEYS = {GRPC_PORT: "serving.port", REST_PORT: "serving.rest_port"}


@dataclass(frozen=True)
class Plan:
    """Where a new container listens. `spare`: where it is rehearsed first, None when it need not be."""

    ports: Mapping[int, int]
    spare: Mapping[int, int] | None = None


def first(workspace: Workspace, spec: ContainerSpec) -> Mapping[int, int]:
    """Of a container that is the only one. Raises EugenieError when a port of the site file is taken."""
    for each in spec.published:
        if each.port:
            ports.check_free(each.port, "the model server", _KEYS[each.inside])
    return _chosen(workspace, spec, _KEPT)


def after(workspace: Workspace, spec: ContainerSpec, old: Mapping[int, int], *, held: bool) -> Plan:
    """Of a container that takes over from one at the ports `old`. `held`: somebody relies on its gRPC address."""
    spare = _chosen(
        workspace, spec.reached_at(dict.fromkeys(_KEPT, 0)), {key: f"{name}{_SPARE}" for key, name in _KEPT.items()}
    )
    wanted = {each.inside: each.port for each in spec.published}
    stays = held and not wanted[GRPC_PORT]
    final = {inside: port or (old.get(inside) if stays else None) or spare[inside] for inside, port in wanted.items()}
    if set(final.values()) & set(old.values()):
        return Plan(final, spare)
    for inside, port in final.items():
        if port != spare[inside]:
            ports.check_free(port, "the model server", _KEYS[inside])
    return Plan(final)


def settled(workspace: Workspace, taken: Mapping[int, int]) -> None:
    """The ports that the site is reached at now are kept; those of before are the spare ones."""
    ports.keep(workspace.run / "ports.json", {_KEPT[inside]: port for inside, port in taken.items()}, _SPARE)


def is_held(workspace: Workspace, address: str) -> bool:
    """Whether a stream job that was not stopped calls this address: it would not find another one by itself."""
    last = stream_record.load(workspace)
    if last is None or last.savepoint is not None or last.drained:
        return False
    return last.shape.get("model_server") == address


def _chosen(workspace: Workspace, spec: ContainerSpec, names: Mapping[int, str]) -> dict[int, int]:
    free = {names[each.inside]: 0 for each in spec.published if not each.port}
    assigned = ports.assign(workspace.run / "ports.json", free, in_use=())
    return {each.inside: each.port or assigned[names[each.inside]] for each in spec.published}
