"""A real OPC UA server (asyncua) with history, in a process of its own: `python -m support.opcua_server SPEC.json`.

The spec: {"port", "nodes": {id: {"values": [[ts ms, value, status code]], "unit", "name", "history": true}}, and what
the server is like: "page": values per answer at most; "points": whether it gives continuation points, or only fewer
values; "most_nodes": per query; "undated": values have no source timestamp; "users": {name: password}; "policies":
[...]; "certificate", "key"; "namespaces": those registered before that of the nodes}. Nodes are in a folder "Plant".
While it runs, a line {"id": [value, status]} on its standard input writes values now, and is answered by their instant.
"""

from __future__ import annotations

import asyncio
import bisect
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.history import HistoryStorageInterface

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
URI = "urn:test:plant"
NEVER = datetime(1602, 1, 1, tzinfo=timezone.utc)


class Store(HistoryStorageInterface):
    """Values in time order, in memory."""

    def __init__(self, page: int, points: bool, undated: bool = False) -> None:
        self.page, self.points, self.undated = page, points, undated
        self.values: dict[ua.NodeId, list[ua.DataValue]] = {}
        self.instants: dict[ua.NodeId, list[datetime]] = {}

    async def init(self): ...

    async def stop(self): ...

    async def new_historized_event(self, *args): ...

    async def save_event(self, event): ...

    async def read_event_history(self, *args):
        return [], None

    async def new_historized_node(self, node_id, period, count=0):
        self.values.setdefault(node_id, [])
        self.instants.setdefault(node_id, [])

    async def save_node_value(self, node_id, datavalue):
        known = self.instants[node_id]
        at = bisect.bisect_right(known, datavalue.SourceTimestamp)
        known.insert(at, datavalue.SourceTimestamp)
        self.values[node_id].insert(at, datavalue)

    async def read_node_history(self, node_id, start, end, nb_values):
        if node_id not in self.values:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadHistoryOperationUnsupported)
        known, values = self.instants[node_id], self.values[node_id]
        backwards = start is None or start < NEVER or (end is not None and end > NEVER and end < start)
        if backwards:
            upper = start if start is not None and start > NEVER else end
            found = values[: bisect.bisect_right(known, upper)][::-1]
        else:
            last = bisect.bisect_left(known, end) if end is not None and end > NEVER else len(known)
            found = values[bisect.bisect_left(known, start) : last]
        most = min(self.page, nb_values or self.page)
        point = found[most].SourceTimestamp if self.points and len(found) > most else None
        if self.undated:
            given = [ua.DataValue(of.Value, of.StatusCode, None, of.SourceTimestamp) for of in found[:most]]
            return given, point
        return found[:most], point


class Users:
    def __init__(self, users):
        self.users = users

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if not self.users or (username in self.users and self.users[username] == password):
            return User(role=UserRole.Admin)
        return None


def data_value(ts_ms, value, status=0):
    instant = EPOCH + timedelta(milliseconds=ts_ms)
    variant = ua.Variant(value) if value is not None else ua.Variant()
    if isinstance(value, int) and not isinstance(value, bool):
        variant = ua.Variant(value, ua.VariantType.Int64)
    return ua.DataValue(variant, ua.StatusCode(status), instant, instant)


async def serve(spec) -> None:
    server = Server(user_manager=Users(spec.get("users", {})))
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{spec['port']}/plant")
    if spec.get("policies"):
        server.set_security_policy([getattr(ua.SecurityPolicyType, name) for name in spec["policies"]])
        await server.set_application_uri(spec["uri"])
        await server.load_certificate(spec["certificate"])
        await server.load_private_key(spec["key"])
    if "trusted" in spec:
        validator_of(server, Path(spec["trusted"]))
    for uri in spec.get("namespaces", []):
        await server.register_namespace(uri)
    space = await server.register_namespace(URI)
    store = Store(spec.get("page", 10_000), spec.get("points", True), spec.get("undated", False))
    server.iserver.history_manager.set_storage(store)
    limit(server, spec.get("most_nodes"))
    by_node(server)
    folder = await server.nodes.objects.add_folder(space, "Plant")
    nodes = {}
    for name, of_node in spec["nodes"].items():
        node_id = ua.NodeId(name, space) if isinstance(name, str) else ua.NodeId.from_string(name)
        kind = await folder.add_variable(node_id, ua.QualifiedName(of_node.get("name", name), space), 0.0)
        nodes[name] = kind
        if of_node.get("unit"):
            await kind.add_property(
                0, "EngineeringUnits", ua.EUInformation(DisplayName=ua.LocalizedText(of_node["unit"]))
            )
        if of_node.get("history", True):
            await kind.set_read_only()
            for bit in (ua.AccessLevel.HistoryRead,):
                await kind.set_attr_bit(ua.AttributeIds.AccessLevel, bit)
                await kind.set_attr_bit(ua.AttributeIds.UserAccessLevel, bit)
            await kind.write_attribute(ua.AttributeIds.Historizing, ua.DataValue(ua.Variant(True)))
            await store.new_historized_node(node_id, None)
            for ts, *rest in of_node.get("values", []):
                await store.save_node_value(node_id, data_value(ts, *rest))
            if store.values[node_id] and isinstance(store.values[node_id][-1].Value.Value, float):  # the node's type
                await kind.write_value(store.values[node_id][-1])
    async with server:
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            now = int(datetime.now(timezone.utc).timestamp() * 1000)
            for name, written in json.loads(line).items():
                value = data_value(now, *written)
                await nodes[name].write_value(value)
                await store.save_node_value(nodes[name].nodeid, value)
            print(now, flush=True)


def limit(server, most_nodes) -> None:
    if most_nodes is None:
        return
    manager = server.iserver.history_manager
    read = manager.read_history

    async def limited(params):
        if len(params.NodesToRead) > most_nodes:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
        return await read(params)

    manager.read_history = limited


def by_node(server) -> None:
    """A node without history has a status of its own; asyncua refuses the whole query."""
    manager = server.iserver.history_manager
    read = manager._read_history

    async def guarded(details, node):
        if node.NodeId not in server.iserver.aspace:
            return ua.HistoryReadResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown))
        try:
            return await read(details, node)
        except ua.UaStatusCodeError as error:
            return ua.HistoryReadResult(StatusCode=ua.StatusCode(error.code))

    manager._read_history = guarded


def validator_of(server, trusted: Path) -> None:
    from asyncua.common.utils import ServiceError

    async def validate(certificate, _application):
        from cryptography.hazmat.primitives import serialization

        der = certificate.public_bytes(serialization.Encoding.DER)
        if not any(file.read_bytes() == der for file in trusted.glob("*.der")):
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    server.set_certificate_validator(validate)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text())))
