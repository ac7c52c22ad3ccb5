"""The live side of an `opcua` source: a subscription (OPC 10000-4, 5.14) to the nodes that an import would read.

After a lost connection, and after a restart, it subscribes again and reads from the server's history what it has
missed.
"""

from __future__ import annotations

import threading
import time

import numpy as np
from asyncua import Client

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.readings.reject_reasons import BAD_TIMESTAMP
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.failures import TooMuchError, TransientError
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.live import Sink
from eugenie_cli.sources.opcua.connection import Connection
from eugenie_cli.sources.opcua.decode import Values
from eugenie_cli.sources.opcua.history_reader import HistoryReader
from eugenie_cli.sources.opcua.nodes import find_nodes, left_out, refused_nodes, tagged_nodes
from eugenie_cli.sources.opcua.pages import NO_VALUE, OF_CODE
from eugenie_cli.sources.opcua.publishing import Subscription, monitored_items
from eugenie_cli.sources.opcua.readings import Converter
from eugenie_cli.sources.opcua.settings import OpcuaSettings
from eugenie_cli.sources.opcua.ticks import to_ms
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import Span, attempted
from eugenie_cli.sources.windows.spans import SpanWidth

REQUEST_S = 30.0  # for a request other than a publication: creating 10,000 items takes seconds
OVERFLOW = np.uint32(0x0480)  # info bits of a value before which the server's queue has lost others
WAITING = np.uint32(0x8032_0000)  # BadWaitingForInitialData: there is no value yet
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
PIECE_MS = 60_000  # of what was missed, read first; more and more at a time
BEFORE_MS = 10_000  # how much earlier than the last publication the reading of what was missed begins
CLOCK_BACK_MS = 1_000  # a server's clock that goes back further was set; publications overtake each other by less
AHEAD_MS = 3_600_000  # how far a server's clock may be ahead of ours


class Subscriber:
    """Passes the values of a subscription on as readings."""

    def __init__(self, source: OpcuaSettings, site: Site) -> None:
        self._source = source
        self._tagged = tagged_nodes(source, site)
        self._series = tuple(node.series for node in self._tagged)
        self._connection = Connection(source, site, REQUEST_S)
        of_history = source.model_copy(update={"missing": "skip"})  # a node that is subscribed to may have none
        self._history = HistoryReader(of_history, site) if source.bridge.backfill else None
        self._convert = Converter(source)
        self._last_ts = np.zeros(len(self._tagged), np.int64)
        self._last_value = np.full(len(self._tagged), np.nan)
        self._first = np.ones(len(self._tagged), bool)
        """Nodes of which nothing has come since subscribing: the server repeats the current value."""
        self._heard_ms = 0
        self._safe_ms = 0
        """Up to here everything is in Kafka or on disk, but for what is still being caught up with."""
        self._sent_ms, self._settings_back = 0, 0
        """The server's clock at the last publication, and how often it was set back."""
        self._behind = 0
        self._catching_up: threading.Thread | None = None

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """As `sources.live.LiveSource.run` says."""
        failures = 0
        self._safe_ms = int(sink.kept.get("safe_ms", 0))
        try:
            while not stop.is_set():
                began_ms = _now_ms()
                try:
                    self._session(sink, stop)
                    return
                except EugenieError as error:
                    if not self._heard_ms and not isinstance(error, (TransientError, TooMuchError)):
                        raise
                    failures = 1 if self._heard_ms > began_ms else failures + 1
                    sink.say(f"{error.reason}; connecting again")
                    stop.wait(pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S))
        finally:
            self._connection.close()
            if self._catching_up is not None:
                self._catching_up.join(REQUEST_S)
            if self._history is not None:
                self._history.close()

    def _session(self, sink: Sink, stop: threading.Event) -> None:
        """Subscribe, and pass values on until `stop`. Raises EugenieError when the connection is lost."""
        found = find_nodes(self._connection, self._tagged, self._source)
        absent = dict(found.absent)
        self._first[:] = True
        safe_ms, last_ts = self._safe_ms, self._last_ts.copy()

        async def session(client: Client) -> None:
            subscription = Subscription(client, self._source.bridge, REQUEST_S)
            await subscription.create()
            absent.update(await monitored_items(subscription, found.ids))
            if absent and self._source.missing == "refuse":
                raise refused_nodes(self._source, self._tagged, absent)
            sink.say(f"{self._source.endpoint}: subscribed to {len(self._tagged) - len(absent):,} nodes")
            lacking = Tally()
            for sentence in left_out(self._tagged, absent):
                lacking.gap(sentence)
            sink.put(Batch.of(()), lacking)
            if safe_ms and self._history is not None:
                span = Span(max(0, safe_ms - BEFORE_MS), _now_ms() + AHEAD_MS)
                self._behind += 1
                self._catching_up = threading.Thread(target=self._catch_up, args=(span, last_ts, sink), daemon=True)
                self._catching_up.start()
            async for published in subscription.published(stop):
                self._heard_ms = _now_ms()
                self._watch_clock(subscription.sent, sink)
                for values in published:
                    self._pass_on(values, sink)
            if subscription.lost:
                sink.say(f"{self._source.endpoint}: {subscription.lost} publications were lost")
            await subscription.delete()

        self._connection.run(session)

    def _pass_on(self, values: Values, sink: Sink) -> None:
        tally = Tally()
        code = values.status & OF_CODE
        values = values.take(~np.isin(code, NO_VALUE) & (code != WAITING))
        ticks = values.server if self._source.timestamps == "server" else values.source
        tally.records += len(values)
        if (undated := int(np.count_nonzero(ticks <= 0))) > 0:
            tally.lost += undated
            if tally.reject(BAD_TIMESTAMP, undated) > 0:
                tally.example(BAD_TIMESTAMP, self._source.endpoint, f"no {self._source.timestamps} timestamp")
            values = values.take(ticks > 0)
        handle = values.handle.astype(np.int32)
        if overflown := int(np.count_nonzero(values.status & OVERFLOW == OVERFLOW)):
            tally.gap(f"the server's queues lost values {overflown:,} times: raise `queue` or lower `publishing`")
        ts, value, refused = self._convert.converted(values)
        kept = np.ones(len(ts), bool)
        if refused:
            self._convert.reject({at: self._series[handle[at]] for at in refused}, ts, refused, tally)
            kept[list(refused)] = False
        again = self._first[handle]
        if again.any():
            same = (value == self._last_value[handle]) | (np.isnan(value) & np.isnan(self._last_value[handle]))
            kept &= ~(again & same & (ts == self._last_ts[handle]))
            self._first[handle] = False
        index, ts, value = handle[kept], ts[kept], value[kept]
        self._last_ts[index], self._last_value[index] = ts, value
        safe_ms = min(_now_ms(), int(ts.max())) if len(ts) else 0

        by_clock = self._settings_back

        def settled() -> None:
            if safe_ms > self._safe_ms and not self._behind and by_clock == self._settings_back:
                self._safe_ms = safe_ms
                sink.keep({"safe_ms": safe_ms})

        sink.put(Batch(self._series, index, ts, value), tally, settled)

    def _watch_clock(self, sent: int, sink: Sink) -> None:
        """If the server's clock was set back, what it dates from now on is older than what is safe.

        What would be missed after a lost connection is then read from the clock's new beginning on.
        """
        sent_ms = int(to_ms(np.array([sent]))[0]) if sent > 0 else self._sent_ms
        if self._sent_ms - sent_ms > CLOCK_BACK_MS:
            self._settings_back += 1
            self._safe_ms = min(self._safe_ms, sent_ms)
            self._last_ts = np.minimum(self._last_ts, sent_ms)
            sink.keep({"safe_ms": self._safe_ms})
            back_s = (self._sent_ms - sent_ms) / 1_000
            sink.say(
                f"{self._source.endpoint}: the server's clock went back by {back_s:,.0f} s: readings have times twice"
            )
        self._sent_ms = sent_ms

    def _catch_up(self, span: Span, last_ts: np.ndarray, sink: Sink) -> None:
        """Read what was missed from the server's history: what is later than the last value of each node."""
        history = self._history
        assert history is not None  # noqa: S101 - for the type checker: otherwise it is not called
        after = dict(zip(self._series, last_ts.tolist(), strict=True))
        tally, pace = Tally(), Pace(self._source.pace)
        try:
            for _, batches in SpanWidth(PIECE_MS).read(span, lambda piece: attempted(history, piece, tally, pace)):
                for batch in batches:
                    limits = np.array([after[series] for series in batch.series], np.int64)
                    new = batch.ts > limits[batch.index] if len(batch.series) else np.zeros(0, bool)
                    sink.put(Batch(batch.series, batch.index[new], batch.ts[new], batch.value[new]), Tally())
        except EugenieError as error:
            tally.gap(f"what was missed {_when(span)} could not be read: {error.reason}")
            sink.say(tally.gaps[-1])

        def caught_up() -> None:
            self._behind -= 1

        sink.put(Batch.of(()), tally, caught_up)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _when(span: Span) -> str:
    ends = (span.start_ms, min(span.end_ms, _now_ms()))
    first, last = (np.datetime64(ms, "ms").astype("M8[s]") for ms in ends)
    return f"between {first}Z and {last}Z"
