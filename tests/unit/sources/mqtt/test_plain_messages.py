"""Plain messages: the one mapping language, with the topic in place of a key."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.mqtt.plain import PlainMessages
from eugenie_cli.sources.mqtt.received import Received

TS, NOW = 1_767_225_600_000, 1_767_225_700_123
BASE = {"name": "gateway", "type": "mqtt", "url": "mqtt://127.0.0.1"}
NAMED = {"topics": ["plant/{asset}/{sensor}"]}


def site_with(**source):
    return Site.model_validate(
        {
            "site": "plant",
            "sources": [{**BASE, **source}],
            "classes": {"pump": {"sensors": [{"name": "flow", "unit": "m3/h"}, {"name": "heat", "unit": "degC"}]}},
            "assets": {
                "p1": {"class": "pump", "tags": {"flow": "FT-1", "heat": "plant/p1/TT-1"}},
                "p2": {"class": "pump", "tags": {"flow": "FT-2", "heat": "TT-2"}},
            },
        }
    )


def read(source, *messages):
    """(asset, sensor, ts, value) of messages (topic, payload[, user properties]), and the counts."""
    site = site_with(**source)
    received = [Received(topic, payload, NOW, *(rest or ({},))) for topic, payload, *rest in messages]
    tally = Tally()
    batch = PlainMessages(site.sources[0], site).read(received, tally)
    values = [None if np.isnan(value) else value for value in batch.value.tolist()]
    names = [batch.series[at] for at in batch.index.tolist()]
    return [(*name, ts, value) for name, ts, value in zip(names, batch.ts.tolist(), values, strict=True)], tally


JSON = b'{"ts":"2026-01-01T00:00:00Z","value":2.5}'


@pytest.mark.parametrize(
    ("source", "message", "expected"),
    [
        (NAMED, ("plant/p1/flow", JSON), [("p1", "flow", TS, 2.5)]),
        (NAMED, ("plant/p2/heat", JSON), [("p2", "heat", TS, 2.5)]),
        ({"topics": ["{tag}/pv"]}, ("FT-1/pv", JSON), [("p1", "flow", TS, 2.5)]),
        (
            {**NAMED, "readings": {"ts": {"path": "t", "unit": "ms"}, "value": {"path": "a.b"}}},
            ("plant/p1/flow", b'{"t":1767225600000,"a":{"b":7}}'),
            [("p1", "flow", TS, 7.0)],
        ),
        (
            {**NAMED, "readings": {"ts": {"record": "timestamp"}, "value": {"record": "value"}}},
            ("plant/p1/flow", b"2.41"),
            [("p1", "flow", NOW, 2.41)],
        ),
        (
            {**NAMED, "readings": {"ts": {"header": "at"}, "value": {"record": "value"}}},
            ("plant/p1/flow", b"bad", {"at": b"2026-01-01T00:00:00Z"}),
            [("p1", "flow", TS, None)],
        ),
        (
            {"topics": ["plant/#"], "readings": {"tag": {"record": "key"}}},
            ("plant/p1/TT-1", JSON),
            [("p1", "heat", TS, 2.5)],
        ),
        (
            {"topics": ["plant/{asset}"], "readings": {"shape": "wide"}},
            ("plant/p2", b'{"ts":"2026-01-01T00:00:00Z","flow":1,"heat":null}'),
            [("p2", "flow", TS, 1.0), ("p2", "heat", TS, None)],
        ),
        (
            {"topics": ["plant/{asset}"], "readings": {"records": ".", "sensor": {"path": "s"}}},
            (
                "plant/p1",
                b'[{"s":"flow","ts":"2026-01-01T00:00:00Z","value":1},{"s":"heat","ts":"2026-01-01T00:00:00Z","value":2}]',
            ),
            [("p1", "flow", TS, 1.0), ("p1", "heat", TS, 2.0)],
        ),
        (
            {**NAMED, "readings": {"value": {"path": "value", "units": {"heat": "degF"}}}},
            ("plant/p1/heat", b'{"ts":"2026-01-01T00:00:00Z","value":212}'),
            [("p1", "heat", TS, pytest.approx(100.0))],
        ),
    ],
)
def test_what_a_message_gives(source, message, expected):
    readings, tally = read(source, message)
    assert readings == expected
    assert not tally.rejected


def test_each_message_gives_readings_or_a_rejection_that_names_its_topic():
    readings, tally = read(
        NAMED,
        ("plant/p1/flow", JSON),
        ("plant/p1/flow", b"{"),
        ("plant/p9/flow", JSON),
        ("plant/p1/flow", b'{"ts":"yesterday","value":1}'),
        ("plant/p2/flow", JSON),
        ("plant/p2/flow", b""),
    )
    assert [reading[0] for reading in readings] == ["p1", "p2"]
    assert tally.records == 6
    assert dict(tally.rejected) == {"bad-json": 2, "bad-timestamp": 1, "unknown-tag": 1}
    assert tally.examples["unknown-tag"] == ["plant/p9/flow: the site has no 'p9 flow'"]


def test_only_the_arrival_as_instant_needs_a_session_without_memory():
    for ts, by_arrival in (({"record": "timestamp"}, True), ({"path": "ts"}, False)):
        site = site_with(**NAMED, readings={"ts": ts})
        assert PlainMessages(site.sources[0], site).by_arrival is by_arrival
