"""Reads spans of a server's history: several nodes per query, in pages of time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
from asyncua import ua

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.reject_reasons import BAD_TIMESTAMP
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.failures import TooMuchError, TransientError
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.opcua.browse import browse
from eugenie_cli.sources.opcua.connection import Connection
from eugenie_cli.sources.opcua.decode import EMPTY, NodeHistory, decode_history
from eugenie_cli.sources.opcua.node_ids import written
from eugenie_cli.sources.opcua.nodes import ServerNodes, Tagged, find_nodes, left_out, refused_nodes, tagged_nodes
from eugenie_cli.sources.opcua.pages import NO_VALUE, OF_CODE, Pages
from eugenie_cli.sources.opcua.readings import Converter
from eugenie_cli.sources.opcua.settings import OpcuaSettings
from eugenie_cli.sources.opcua.ticks import to_datetime
from eugenie_cli.sources.opcua.words import FEWER_NODES, UNAVAILABLE, of_query
from eugenie_cli.sources.windows.browsing import Browsed
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span

VALUES_AT_ONCE = 200_000  # of all nodes of a query: some 4 MB, below the usual limits of messages
BAD_NO_DATA, BAD_DATA_UNAVAILABLE, BAD_DATA_LOST = 0x809B_0000, 0x809E_0000, 0x809D_0000


class HistoryReader:
    """A `WindowReader` of an OPC UA server."""

    def __init__(self, source: OpcuaSettings, site: Site) -> None:
        self._source, self._site = source, site
        self._connection = Connection(source, site, source.pace.timeout / 1_000)
        self._convert = Converter(source)
        self._nodes_at_once = source.nodes_per_read
        self._nodes: ServerNodes | None = None
        self._session = 0
        self._finding = threading.Lock()

    @cached_property
    def _tagged(self) -> list[Tagged]:
        """Not needed to browse a server whose node ids are not known yet. Raises EugenieError."""
        return tagged_nodes(self._source, self._site)

    def settings(self) -> Mapping[str, Any]:
        source = self._source
        return {
            "node": source.node,
            "namespaces": {str(index): uri for index, uri in sorted(source.namespaces.items())},
            "timestamps": source.timestamps,
            "status": list(source.status),
            "missing": source.missing,
            "routes": [[*node.series, node.address.text] for node in self._tagged],
        }

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        absent = dict(pace.call(self._found).absent)
        by_server = self._source.timestamps == "server"
        pages = {position: Pages(span, by_server=by_server) for position in self._found().ids}
        rows = 0
        while open_ := [position for position, of_node in pages.items() if not of_node.complete]:
            for group, answers in pace.each(self._queries(open_, pages)):
                batch = []
                for position, answer in zip(group, answers, strict=True):
                    of_node, node = pages[position], self._tagged[position]
                    if (unavailable := self._unavailable(answer, node, span, tally)) is not None:
                        absent[position] = unavailable
                        of_node.complete = True
                        continue
                    batch.append((position, of_node.take(answer, self._asked(len(group)))))
                rows += sum(len(values) for _, values in batch)
                if rows > ROWS_AT_ONCE:
                    raise TooMuchError(
                        f"more than {ROWS_AT_ONCE:,} readings in {span.width_ms / 1_000:g} s", "nothing to do"
                    )
                series = [self._tagged[position].series for position, _ in batch]
                yield self._convert.batch(series, [values for _, values in batch], tally)
        self._report(absent, pages, tally)

    def browse(self, pattern: str | None, pace: Pace) -> Iterator[Browsed]:
        """The server's variables. Those of the site are found if their tags are node ids with its present indexes."""
        sensors = {}
        with suppress(EugenieError):  # some tags are no node ids yet
            sensors = {written(node): ", ".join(self._tagged[at].series) for at, node in self._found().ids.items()}
        return browse(self._connection, sensors, pattern, pace)

    def close(self) -> None:
        self._connection.close()

    # -- queries -----------------------------------------------------------------------------------

    def _found(self) -> ServerNodes:
        """The nodes on the server, asked for again after a reconnection, since indexes may have moved."""
        with self._finding:
            self._connection.connected()
            if self._nodes is None or self._session != self._connection.sessions:
                self._session = self._connection.sessions
                self._nodes = find_nodes(self._connection, self._tagged, self._source)
                self._nodes_at_once = min(self._source.nodes_per_read, self._server_limit() or self._nodes_at_once)
            return self._nodes

    def _server_limit(self) -> int:
        """MaxNodesPerHistoryReadData; 0 if the server does not say."""
        try:
            value = self._connection.run(
                lambda client: client.get_node(
                    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData
                ).read_value()
            )
        except TransientError:
            raise
        except EugenieError:
            return 0
        return int(value or 0)

    def _asked(self, nodes: int) -> int:
        return max(100, min(self._source.values_per_read, VALUES_AT_ONCE // nodes))

    def _queries(
        self, open_: Sequence[int], pages: Mapping[int, Pages]
    ) -> Iterator[Callable[[], tuple[Sequence[int], list[NodeHistory]]]]:
        for group in _groups(open_, pages, self._nodes_at_once):
            yield lambda group=group: (group, self._query(group, pages))  # type: ignore[misc]

    def _query(self, group: Sequence[int], pages: Mapping[int, Pages]) -> list[NodeHistory]:
        """The next page of each node of a group. A query of too many nodes is made as several, and so are later ones.

        Some servers refuse a query as a whole if one of its nodes has no history: the others are asked without it.
        """
        found, first = self._found().ids, pages[group[0]]
        details = ua.ReadRawModifiedDetails()
        details.IsReadModified = details.ReturnBounds = False
        details.StartTime = to_datetime(min(pages[position].start for position in group))
        details.EndTime = to_datetime(first.end)
        details.NumValuesPerNode = self._asked(len(group))
        request = ua.HistoryReadRequest()
        request.Parameters.HistoryReadDetails = details
        request.Parameters.TimestampsToReturn = (
            ua.TimestampsToReturn.Server if self._source.timestamps == "server" else ua.TimestampsToReturn.Source
        )
        request.Parameters.ReleaseContinuationPoints = False
        for position in group:
            node = ua.HistoryReadValueId()
            node.NodeId, node.ContinuationPoint = found[position], pages[position].continuation
            request.Parameters.NodesToRead.append(node)
        try:
            answers = decode_history(self._connection.ask(request))
            if len(group) > 1 and any(answer.status in FEWER_NODES for answer in answers):
                raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
        except Exception as error:
            code = int(getattr(error, "code", 0) or getattr(error.__cause__, "code", 0))
            if code in UNAVAILABLE and len(group) == 1:
                return [NodeHistory(code, EMPTY, None)]
            if (code not in FEWER_NODES and code not in UNAVAILABLE) or len(group) == 1:
                raise of_query(error, self._source.endpoint) from error
            half = math.ceil(len(group) / 2)
            if code in FEWER_NODES:
                self._nodes_at_once = min(self._nodes_at_once, half)
            return [*self._query(group[:half], pages), *self._query(group[half:], pages)]
        if len(answers) != len(group):
            raise EugenieError(f"{self._source.endpoint} answered for {len(answers)} of {len(group)} nodes")
        self._release(request, answers)
        return answers

    def _release(self, request: ua.HistoryReadRequest, answers: Sequence[NodeHistory]) -> None:
        """Give back continuation points that will not be used: servers have few of them."""
        left = [
            (node, answer)
            for node, answer in zip(request.Parameters.NodesToRead, answers, strict=True)
            if answer.continuation is not None and len(answer.values) and not _may_be_needed(answer)
        ]
        if not left:
            return
        for node, answer in left:
            node.ContinuationPoint = answer.continuation
        request.Parameters.NodesToRead = [node for node, _ in left]
        request.Parameters.ReleaseContinuationPoints = True
        try:
            self._connection.ask(request)
        except TransientError:
            raise
        except EugenieError:  # the server frees them itself with the next query
            pass

    # -- what is missing ---------------------------------------------------------------------------

    def _unavailable(self, answer: NodeHistory, node: Tagged, span: Span, tally: Tally) -> str | None:
        """Why a node cannot be read at all, or None. Raises for what concerns this span."""
        status = answer.status & int(OF_CODE)
        if status >> 30 != 2 or status in NO_VALUE.tolist():
            if status == BAD_NO_DATA:
                tally.gap(f"{node.address.text} has no values in some spans (BadNoData)")
            return None
        if status in UNAVAILABLE:
            return UNAVAILABLE[status]
        if status == BAD_DATA_LOST:
            tally.gap(f"{node.address.text} has lost values{_when(span)} (BadDataLost)")
            return None
        if status == BAD_DATA_UNAVAILABLE:
            raise EugenieError(
                f"{node.address.text} has values{_when(span)} that the server cannot reach (BadDataUnavailable)",
                "mount the server's archive, then import again",
            )
        raised = of_query(ua.UaStatusCodeError(status), self._source.endpoint)
        raise type(raised)(f"{node.address.text}: {raised.reason}", raised.hint, raised.exit_code)

    def _report(self, absent: dict[int, str], pages: Mapping[int, Pages], tally: Tally) -> None:
        if absent and self._source.missing == "refuse":
            raise refused_nodes(self._source, self._tagged, absent)
        for sentence in left_out(self._tagged, absent):
            tally.gap(sentence)
        for position, of_node in pages.items():
            if of_node.no_instant:
                tally.records += of_node.no_instant
                tally.lost += of_node.no_instant
                if tally.reject(BAD_TIMESTAMP, of_node.no_instant) > 0:
                    other = "source" if self._source.timestamps == "server" else "server"
                    tally.example(
                        BAD_TIMESTAMP,
                        self._tagged[position].address.text,
                        f"values without a {self._source.timestamps} timestamp: set `timestamps: {other}`",
                    )


def _groups(open_: Sequence[int], pages: Mapping[int, Pages], most: int) -> Iterator[list[int]]:
    """Nodes of one query each: they share its start, so that those that are far apart are not asked together."""
    group: list[int] = []
    for position in sorted(open_, key=lambda position: pages[position].start):
        of_node = pages[position]
        if group:
            first = pages[group[0]]
            apart = of_node.start - first.start > (first.end - first.start) // 10
            alone = of_node.continuation is not None or first.continuation is not None
            if len(group) >= most or apart or alone:
                yield group
                group = []
        group.append(position)
    if group:
        yield group


def _may_be_needed(answer: NodeHistory) -> bool:
    """Whether all values of a page are so close together that the next one may have to continue it."""
    source = answer.values.source if answer.values.source.any() else answer.values.server
    return bool(np.ptp(source) < 10 * 10_000)


def _when(span: Span) -> str:
    first, last = (np.datetime64(ms, "ms").astype("M8[s]") for ms in (span.start_ms, span.end_ms))
    return f" between {first}Z and {last}Z"
