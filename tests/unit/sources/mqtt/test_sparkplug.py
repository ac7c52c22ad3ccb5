"""Sparkplug B: births, aliases, sequence numbers, deaths, and every metric in exactly one place."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sparkplug import BOOLEAN, DATE_TIME, DOUBLE, FLOAT, INT8, INT16, INT32, INT64, STRING, UINT64, EdgeNode

from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.mqtt.received import Received
from eugenie_cli.sources.mqtt.settings import SparkplugSettings
from eugenie_cli.sources.mqtt.sparkplug import HELD_S, SparkplugMessages
from eugenie_cli.sources.mqtt.sparkplug_payload import COMPRESSED, payload_type

TS, NOW = 1_767_225_600_000, 1_767_229_200_000  # the node's clock is an hour behind
FLOW, HEAT, OWN = ("p1", "flow"), ("p1", "heat"), ("", "load")
KINDS = {FLOW: DOUBLE, HEAT: INT16, OWN: FLOAT}
SITE = Site.model_validate(
    {
        "site": "plant",
        "classes": {"pump": {"sensors": [{"name": "flow"}, {"name": "heat"}, {"name": "load"}]}},
        "assets": {"p1": {"class": "pump", "tags": {"flow": "G/N/p1/flow", "heat": "G/N/p1/heat", "load": "G/N/load"}}},
    }
)


class Reader:
    """Reads what a node sends. `now`: monotonic seconds."""

    def __init__(self, site=SITE, **settings):
        self.now, self.at_ms = 0.0, NOW
        self.messages = SparkplugMessages(SparkplugSettings(**settings), router_of(site), clock=lambda: self.now)
        self.tally = Tally()

    def read(self, *sent):
        """(sensor, ts, value)."""
        received = [Received(topic, payload, self.at_ms, {}) for topic, payload in sent]
        batch = self.messages.read(received, self.tally)
        values = [None if np.isnan(value) else value for value in batch.value.tolist()]
        names = [batch.series[at][1] for at in batch.index.tolist()]
        return list(zip(names, batch.ts.tolist(), values, strict=True))

    @property
    def asked(self):
        """The topics of commands since the last look."""
        topics = [topic for topic, _ in self.messages.commands]
        self.messages.commands.clear()
        return topics


def born(kinds=KINDS, **settings):
    reader, node = Reader(**settings), EdgeNode(kinds)
    first = reader.read(*node.births(TS, {FLOW: 1.5, HEAT: -3, OWN: 0.5}))
    assert first == [("load", TS, 0.5), ("flow", TS, 1.5), ("heat", TS, -3.0)]
    return reader, node


def test_births_give_readings_and_the_meaning_of_aliases():
    reader, node = born()
    assert reader.read(*node.data(TS + 5, {FLOW: 2.5, OWN: 1.0})) == [("flow", TS + 5, 2.5), ("load", TS + 5, 1.0)]
    assert reader.read(*node.data(TS + 2, {HEAT: 7}, is_historical=True)) == [("heat", TS + 2, 7.0)]
    assert (reader.asked, dict(reader.tally.rejected), reader.tally.gaps) == ([], {}, [])


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        (INT8, -1, -1.0),
        (INT8, 127, 127.0),
        (INT16, -300, -300.0),
        (INT32, -(2**31), -(2.0**31)),
        (INT64, -(2**40), -(2.0**40)),
        (UINT64, 2**63, 2.0**63),
        (FLOAT, 0.25, 0.25),
        (DOUBLE, float("nan"), None),
        (DOUBLE, 1e300, None),
        (BOOLEAN, True, 1.0),
        (BOOLEAN, False, 0.0),
        (STRING, " 4.5 ", 4.5),
        (STRING, "Bad", None),
        (STRING, "off line", None),
        (INT32, -9999, None),
        (DOUBLE, None, None),
    ],
)
def test_values(kind, sent, value):
    reader, node = Reader(status=("off line", "-9999")), EdgeNode({FLOW: kind})
    reader.read(*node.births(TS, {}))
    assert reader.read(*node.data(TS + 1, {FLOW: sent})) == [("flow", TS + 1, value)]
    assert not reader.tally.rejected


def test_an_integer_of_fewer_bits_may_be_sent_without_its_sign():
    reader, node = Reader(), EdgeNode({FLOW: INT8})
    reader.read(*node.births(TS, {}))
    assert reader.read(*node.data(TS + 1, {FLOW: 0xFB})) == [("flow", TS + 1, -5.0)]


@pytest.mark.parametrize(("kind", "sent"), [(DATE_TIME, TS), (STRING, "open"), (99, 2**31)])
def test_what_is_no_number_is_rejected(kind, sent):
    kinds = {FLOW: STRING if kind == STRING else DATE_TIME if kind == DATE_TIME else INT32}
    reader, node = Reader(), EdgeNode(kinds)
    births = node.births(TS, {})
    if kind == 99:  # a datatype that nobody knows
        payload = payload_type().FromString(births[1][1])
        payload.metrics[0].datatype = 99
        births[1] = (births[1][0], payload.SerializeToString())
    reader.read(*births)
    assert reader.read(*node.data(TS + 1, {FLOW: sent})) == []
    assert dict(reader.tally.rejected) == {"bad-value": 1}
    assert "spBv1.0/G/DDATA/N/p1: flow" in reader.tally.examples["bad-value"][0]


@pytest.mark.parametrize(("code", "value"), [(192, 2.5), (500, None), (0, None), (None, 2.5)])
def test_the_quality_is_a_property(code, value):
    reader, node = born()
    ((topic, content),) = node.data(TS + 1, {FLOW: 2.5})
    payload = payload_type().FromString(content)
    payload.metrics[0].properties.keys.append("Quality")
    of_code = payload.metrics[0].properties.values.add(is_null=code is None)
    if code is not None:
        of_code.int_value = code
    assert reader.read((topic, payload.SerializeToString())) == [("flow", TS + 1, value)]


def test_metrics_of_templates_have_the_names_of_these():
    site = SITE.model_copy(deep=True)
    site.assets["p1"].tags["flow"] = "G/N/motor/speed"
    reader = Reader(site)
    payload = payload_type()(timestamp=TS, seq=0)
    template = payload.metrics.add(name="motor", datatype=19).template_value
    template.metrics.add(name="speed", datatype=DOUBLE, double_value=7.0)
    definition = payload.metrics.add(name="types", datatype=19).template_value
    definition.is_definition = True
    definition.metrics.add(name="speed", datatype=DOUBLE, double_value=0.0)
    assert reader.read(("spBv1.0/G/NBIRTH/N", payload.SerializeToString())) == [("flow", TS, 7.0)]


@pytest.mark.parametrize("wbits", [31, 15])
def test_compressed_payloads(wbits):
    reader, node = born()
    ((topic, content),) = node.data(TS + 1, {FLOW: 2.5})
    packer = zlib.compressobj(wbits=wbits)
    inner = payload_type().FromString(content)
    body = payload_type()(metrics=inner.metrics).SerializeToString()
    outer = payload_type()(
        timestamp=TS + 1, seq=inner.seq, uuid=COMPRESSED, body=packer.compress(body) + packer.flush()
    )
    assert reader.read((topic, outer.SerializeToString())) == [("flow", TS + 1, 2.5)]
    assert reader.read((topic, payload_type()(uuid=COMPRESSED, body=b"x").SerializeToString())) == []
    assert dict(reader.tally.rejected) == {"bad-protobuf": 1}


def test_names_may_be_asset_and_sensor():
    reader, node = Reader(asset="{device}", sensor="{metric}"), EdgeNode({FLOW: DOUBLE, ("p9", "flow"): DOUBLE})
    assert reader.read(*node.births(TS, {FLOW: 1.5, ("p9", "flow"): 2.0})) == [("flow", TS, 1.5)]
    assert reader.tally.unknown_columns == ["G/N/p9/flow"]


def test_data_before_a_birth_is_rejected_and_the_birth_asked_for_once():
    reader, node = Reader(), EdgeNode(KINDS)
    node.births(TS, {})
    assert reader.read(*node.data(TS, {FLOW: 1.0, HEAT: 2}), *node.data(TS, {FLOW: 1.0})) == []
    assert reader.asked == ["spBv1.0/G/NCMD/N"]
    assert dict(reader.tally.rejected) == {"missing-field": 3}
    assert reader.read(*node.births(TS + 1, {FLOW: 1.5})) != []


def test_after_a_gap_messages_wait_for_the_rebirth():
    reader, node = born()
    node.data(TS + 1, {FLOW: 1.0})  # lost on its way
    assert reader.read(*node.data(TS + 2, {FLOW: 2.0}), *node.data(TS + 3, {OWN: 3.0})) == []
    assert reader.asked == ["spBv1.0/G/NCMD/N"]
    assert reader.tally.gaps == ["G/N: messages were lost, its sequence numbers have a gap"]
    again = reader.read(*node.births(TS + 4, {FLOW: 4.0}))
    assert {(name, ts) for name, ts, value in again if value is not None} == {
        ("flow", TS + 2),
        ("load", TS + 3),
        ("flow", TS + 4),
    }
    assert not reader.tally.rejected
    assert reader.read(*node.data(TS + 5, {FLOW: 5.0})) == [("flow", TS + 5, 5.0)]


def test_aliases_that_have_changed_their_meaning_give_no_reading():
    reader, node = born()
    node.data(TS + 1, {FLOW: 1.0})
    assert reader.read(*node.data(TS + 2, {FLOW: 2.0})) == []
    other = EdgeNode({HEAT: INT16, FLOW: DOUBLE, OWN: FLOAT})
    again = reader.read(*other.births(TS + 4, {FLOW: 4.0}))
    assert ("flow", TS + 4, 4.0) in again
    assert all(ts == TS + 4 for _, ts, _ in again)
    assert dict(reader.tally.rejected) == {"missing-field": 1}
    assert "another meaning" in reader.tally.examples["missing-field"][0]


def test_a_node_that_does_not_answer_is_named():
    reader, node = born()
    node.data(TS + 1, {FLOW: 1.0})
    reader.read(*node.data(TS + 2, {FLOW: 2.0}))
    assert reader.messages.is_waiting
    reader.now += HELD_S
    assert reader.read() == []
    assert not reader.messages.is_waiting
    assert "let the bridge publish to NCMD" in reader.tally.examples["missing-field"][0]


def test_a_metric_that_is_in_no_birth_is_rejected_and_asked_for():
    reader, node = born()
    node.metrics[("p1", "new")] = DOUBLE
    node.aliases[("p1", "new")] = 99
    assert reader.read(*node.data(TS + 1, {FLOW: 2.0, ("p1", "new"): 1.0})) == [("flow", TS + 1, 2.0)]
    assert reader.asked == ["spBv1.0/G/NCMD/N"]
    assert "alias 99 is in no birth certificate" in reader.tally.examples["missing-field"][0]


def test_deaths_make_the_quality_bad_at_the_time_of_the_node():
    reader, node = born()
    assert reader.read(node.death(TS + 10, "p1")) == [("flow", TS + 10, None), ("heat", TS + 10, None)]
    reader.at_ms += 5_000
    dead = reader.read(node.death(TS))  # the will is as old as the session
    assert dead == [(name, TS + 10 + 5_000, None) for name in ("load", "flow", "heat")]
    assert reader.read(node.death(TS)) == []
    assert reader.read(*node.data(TS + 9_000, {FLOW: 1.0})) == []
    assert reader.asked == ["spBv1.0/G/NCMD/N"]


def test_the_will_of_an_earlier_session_changes_nothing():
    reader, node = born()
    old = node.death(TS)
    node.birth = 1
    reader.read(*node.births(TS + 1, {FLOW: 1.0}))
    assert reader.read(old) == []
    assert reader.read(*node.data(TS + 2, {FLOW: 2.0})) == [("flow", TS + 2, 2.0)]


def test_other_topics_are_not_of_sparkplug_nodes():
    reader = Reader()
    assert reader.read(("spBv1.0/STATE/host", b"{}"), ("spBv1.0/G/NCMD/N", b"x"), ("plant/x", b"1")) == []
    assert reader.tally.records == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["data", "data", "data", "lost", "birth", "device", "death"]), st.integers(0, 2)),
    max_size=25,
)


@pytest.mark.slow
@given(STEPS)
def test_every_metric_is_a_reading_or_rejected_whatever_is_lost(steps):
    """And a reading always has the value that was sent for its sensor and instant."""
    reader, node = born()
    keys, sent, got, count = list(KINDS), {}, [], 0
    for number, (step, which) in enumerate(steps, 1):
        ts, key = TS + 10 * number, keys[which]
        value = 100 * number + which
        if step == "birth":
            node.birth += 1
            order = keys[number % 3 :] + keys[: number % 3]  # aliases change with each birth
            node.metrics = {name: KINDS[name] for name in order}
            node.aliases = {name: alias for alias, name in enumerate(order)}
            got += reader.read(*node.births(ts, {key: value}))
            sent[key[1], ts] = value
        elif step == "death":
            got += reader.read(node.death(ts))
        elif step == "device":
            got += reader.read(node.death(ts, "p1"))
        else:
            messages = node.data(ts, {key: value})
            if step == "data":
                count += 1
                sent[key[1], ts] = value
                got += reader.read(*messages)
    reader.now += HELD_S
    got += reader.read()
    assert all(value is None or sent[name, ts] == value for name, ts, value in got)
    data = sum((name, ts) in sent and value is not None for name, ts, value in got)
    births = sum(step == "birth" for step, _ in steps)
    assert data + sum(reader.tally.rejected.values()) == count + births
