"""What a subscription has missed is read from the server's history, and counted once."""

from __future__ import annotations

import numpy as np
import pytest
from support.history_sites import pump_site
from support.live_sink import KeepingSink
from support.window_record import START, Record

from eugenie_cli.sources.opcua.subscriber import Subscriber
from eugenie_cli.sources.windows.reader import Span

pytestmark = pytest.mark.slow  # importing asyncua takes a second

MINUTE = 60_000


def test_a_piece_that_is_halved_counts_once(tmp_path):
    source = {"name": "o", "type": "opcua", "endpoint": "opc.tcp://127.0.0.1:1", "start": "2026-01-01T00:00:00Z"}
    site = pump_site(tmp_path, [{**source, "node": "ns=2;s={tag}", "assets": ["p1"]}])
    subscriber = Subscriber(site.sources[0], site)
    readings = [(0, START + number * MINUTE, float(number)) for number in range(600)]
    subscriber._history = Record(readings, now_ms=START + 600 * MINUTE, most=50)
    sink = KeepingSink()
    subscriber._catch_up(Span(START, START + 600 * MINUTE), np.zeros(3, np.int64), sink)
    assert sink.readings == [("p1", "flow", ts, value) for _, ts, value in readings]
    assert (sink.tally.records, sink.tally.gaps) == (600, [])
