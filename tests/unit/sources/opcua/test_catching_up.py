"""What a subscription has missed is read from the server's history, and counted once."""

from __future__ import annotations

import numpy as np
import pytest
from support.history_sites import pump_site
from support.live_sink import KeepingSink
from support.window_record import START, Record

from eugenie_cli.sources.opcua.decode import Values
from eugenie_cli.sources.opcua.subscriber import Subscriber
from eugenie_cli.sources.opcua.ticks import to_ticks
from eugenie_cli.sources.windows.reader import Span

pytestmark = pytest.mark.slow  # importing asyncua takes a second

MINUTE = 60_000


def subscriber_of(folder):
    source = {"name": "o", "type": "opcua", "endpoint": "opc.tcp://127.0.0.1:1", "start": "2026-01-01T00:00:00Z"}
    site = pump_site(folder, [{**source, "node": "ns=2;s={tag}", "assets": ["p1"]}])
    return Subscriber(site.sources[0], site)


def values_at(ts):
    ticks = np.array([to_ticks(ts)])
    return Values(np.ones(1), np.zeros(1, np.uint32), ticks, ticks, {}, np.zeros(1, np.uint32))


def test_a_clock_of_the_server_that_is_set_back_is_said_and_followed(tmp_path):
    """Otherwise what is missed after a lost connection would be looked for behind the clock's former time."""
    subscriber, sink = subscriber_of(tmp_path), KeepingSink()
    for ts in (START, START + 10 * MINUTE, START + 10 * MINUTE - 500):
        subscriber._watch_clock(to_ticks(ts), sink)
        subscriber._pass_on(values_at(ts), sink)
    assert (sink.kept, sink.said) == ({"safe_ms": START + 10 * MINUTE}, [])
    sink.settles = False
    subscriber._pass_on(values_at(START + 11 * MINUTE), sink)
    subscriber._watch_clock(to_ticks(START + MINUTE), sink)
    assert "the server's clock went back by 540 s" in sink.said[-1]
    sink.settle()  # what was on its way
    assert sink.kept == {"safe_ms": START + MINUTE}
    sink.settles = True
    subscriber._watch_clock(0, sink)
    subscriber._pass_on(values_at(START + 2 * MINUTE), sink)
    assert (sink.kept, len(sink.said)) == ({"safe_ms": START + 2 * MINUTE}, 1)
    assert len(sink.readings) == 5


def test_a_piece_that_is_halved_counts_once(tmp_path):
    subscriber = subscriber_of(tmp_path)
    readings = [(0, START + number * MINUTE, float(number)) for number in range(600)]
    subscriber._history = Record(readings, now_ms=START + 600 * MINUTE, most=50)
    sink = KeepingSink()
    subscriber._catch_up(Span(START, START + 600 * MINUTE), np.zeros(3, np.int64), sink)
    assert sink.readings == [("p1", "flow", ts, value) for _, ts, value in readings]
    assert (sink.tally.records, sink.tally.gaps) == (600, [])
