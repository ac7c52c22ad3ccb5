"""What a server has: its variables below the folder Objects, with units and the first and last instant of each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from asyncua import ua

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.failures import TransientError
from eugenie_cli.sources.opcua.connection import Connection
from eugenie_cli.sources.opcua.decode import decode_history
from eugenie_cli.sources.opcua.node_ids import written
from eugenie_cli.sources.opcua.ticks import to_ms
from eugenie_cli.sources.windows.browsing import Browsed, matches
from eugenie_cli.sources.windows.pace import Pace

AT_ONCE = 100  # nodes of a query: below the limit of nearly all servers
MOST = 1_000_000  # nodes, against servers whose tree has no end
HISTORY_READ = 0x04  # bit of AccessLevel
_SERVER = ua.NodeId(ua.ObjectIds.Server)
_PROPERTY = ua.NodeId(ua.ObjectIds.HasProperty)
_BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass
class _Variable:
    path: str
    unit: Any = None


def browse(
    connection: Connection, sensors: Mapping[str, str], pattern: str | None, pace: Pace, at_once: int = AT_ONCE
) -> Iterator[Browsed]:
    """Variables whose node id or path matches a pattern. `sensors`: node id as text -> "asset, sensor".

    Raises EugenieError.
    """
    found = [
        (node, variable)
        for node, variable in _variables(connection, pace).items()
        if matches(pattern, written(node)) or matches(pattern, variable.path)
    ]
    for first in range(0, len(found), at_once):
        some = found[first : first + at_once]
        ids = [node for node, _ in some]
        access = _attribute(connection, pace, ids, ua.AttributeIds.AccessLevel)
        historizing = _attribute(connection, pace, ids, ua.AttributeIds.Historizing)
        with_unit = [variable.unit for _, variable in some if variable.unit is not None]
        units = dict(zip(with_unit, _attribute(connection, pace, with_unit, ua.AttributeIds.Value), strict=True))
        kept = [node for node, rights in zip(ids, access, strict=True) if rights and int(rights) & HISTORY_READ]
        starts, ends = (dict(zip(kept, _edges(connection, pace, kept, last), strict=True)) for last in (False, True))
        for (node, variable), recorded in zip(some, historizing, strict=True):
            note = variable.path
            if node not in starts:
                note += "; no history"
            elif recorded is False:
                note += "; not recorded at present"
            unit = getattr(getattr(units.get(variable.unit), "DisplayName", None), "Text", None)
            text = written(node)
            yield Browsed(text, sensors.get(text), unit, None, starts.get(node), ends.get(node), note)


def _variables(connection: Connection, pace: Pace) -> dict[Any, _Variable]:
    """All variables but properties and those of the server itself."""
    variables: dict[Any, _Variable] = {}
    waiting: list[tuple[Any, str]] = [(ua.NodeId(ua.ObjectIds.ObjectsFolder), "")]
    seen = {waiting[0][0], _SERVER}
    while waiting and len(seen) < MOST:
        some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        answers = pace.call(lambda some=some: _children(connection, [node for node, _ in some]))  # type: ignore[misc]
        for (parent, path), children in zip(some, answers, strict=True):
            for child in children:
                node = ua.NodeId(child.NodeId.Identifier, child.NodeId.NamespaceIndex, child.NodeId.NodeIdType)
                if child.ReferenceTypeId == _PROPERTY:
                    if parent in variables and child.BrowseName.Name == "EngineeringUnits":
                        variables[parent].unit = node
                elif node not in seen:
                    seen.add(node)
                    name = child.BrowseName
                    step = f"{path}/{name.NamespaceIndex}:{_escaped(str(name.Name))}"
                    waiting.append((node, step))
                    if child.NodeClass == ua.NodeClass.Variable:
                        variables[node] = _Variable(step)
    return variables


def _escaped(name: str) -> str:
    return name.replace("&", "&&").replace("/", "&/")


def _children(connection: Connection, nodes: Sequence[Any]) -> list[list[Any]]:
    """The objects and variables below each node."""
    request = ua.BrowseRequest()
    request.Parameters.NodesToBrowse = []
    for node in nodes:
        wanted = ua.BrowseDescription()
        wanted.NodeId, wanted.BrowseDirection = node, ua.BrowseDirection.Forward
        wanted.ReferenceTypeId, wanted.IncludeSubtypes = ua.NodeId(ua.ObjectIds.HierarchicalReferences), True
        wanted.NodeClassMask = int(ua.NodeClass.Object) | int(ua.NodeClass.Variable)
        wanted.ResultMask = ua.BrowseResultMask.All
        request.Parameters.NodesToBrowse.append(wanted)
    results = connection.answer(request, ua.BrowseResponse).Results
    children = [list(result.References or ()) for result in results]
    open_ = {at: result.ContinuationPoint for at, result in enumerate(results) if result.ContinuationPoint}
    while open_:
        more = ua.BrowseNextRequest()
        more.Parameters.ReleaseContinuationPoints, more.Parameters.ContinuationPoints = False, list(open_.values())
        answer = connection.answer(more, ua.BrowseNextResponse).Parameters.Results
        for at, result in zip(list(open_), answer, strict=True):
            children[at].extend(result.References or ())
            if result.ContinuationPoint:
                open_[at] = result.ContinuationPoint
            else:
                del open_[at]
    return children


def _attribute(connection: Connection, pace: Pace, nodes: Sequence[Any], attribute: Any) -> list[Any]:
    """An attribute of each node; None where it cannot be read."""
    if not nodes:
        return []
    request = ua.ReadRequest()
    for node in nodes:
        wanted = ua.ReadValueId()
        wanted.NodeId, wanted.AttributeId = node, attribute
        request.Parameters.NodesToRead.append(wanted)
    results = pace.call(lambda: connection.answer(request, ua.ReadResponse)).Results
    return [result.Value.Value if result.Value is not None else None for result in results]


def _edges(connection: Connection, pace: Pace, nodes: Sequence[Any], last: bool) -> list[int | None]:
    """The first or the last instant of each node's history, ms since 1970 UTC."""
    if not nodes:
        return []
    now = datetime.fromtimestamp(time.time() + 86_400, timezone.utc)
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = details.ReturnBounds = False
    details.StartTime, details.EndTime = (now, _BEGINNING) if last else (_BEGINNING, now)
    details.NumValuesPerNode = 1
    request = ua.HistoryReadRequest()
    request.Parameters.HistoryReadDetails = details
    request.Parameters.ReleaseContinuationPoints = False
    for node in nodes:
        wanted = ua.HistoryReadValueId()
        wanted.NodeId = node
        request.Parameters.NodesToRead.append(wanted)
    try:
        answers = pace.call(lambda: decode_history(connection.ask(request)))
        return [_instant(answer.values.source) for answer in answers]
    except TransientError:
        raise
    except EugenieError:  # some servers refuse the query as a whole because of one node
        pass
    if len(nodes) == 1:
        return [None]
    return [edge for node in nodes for edge in _edges(connection, pace, [node], last)]


def _instant(ticks: Any) -> int | None:
    return int(to_ms(np.asarray(ticks[:1]))[0]) if len(ticks) and ticks[0] > 0 else None
