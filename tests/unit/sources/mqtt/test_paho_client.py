"""paho's client with its reading ahead: whatever a broker sends, and however the network cuts it, is what is taken."""

from __future__ import annotations

import itertools
import socket
import struct

import paho.mqtt.client as paho
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from eugenie_cli.sources.mqtt import paho_client
from eugenie_cli.sources.mqtt.paho_client import Client

AT_ONCE = 50_000  # what a socket holds in any case
VERSIONS = {"5": paho.MQTTv5, "3.1.1": paho.MQTTv311}
TOPICS = st.text(st.characters(exclude_characters="\0#+", exclude_categories=["Cs"]), min_size=1, max_size=20)
MESSAGES = st.lists(
    st.tuples(
        TOPICS,
        st.binary(max_size=300) | st.just(b"x" * 66_000),
        st.integers(0, 1),
        st.booleans(),
        st.integers(1, 65_535),
        st.booleans(),
    ),
    max_size=5,
)


def published(message, version):
    """A PUBLISH packet (MQTT 5, 3.3)."""
    topic, payload, qos, retain, mid, has_properties = message
    properties = b""
    if version == "5":
        of_publish = Properties(PacketTypes.PUBLISH)
        if has_properties:
            of_publish.UserProperty = ("unit", "bar")
        properties = of_publish.pack()
    encoded = topic.encode()
    body = struct.pack("!H", len(encoded)) + encoded + (struct.pack("!H", mid) if qos else b"") + properties + payload
    length, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            break
    return bytes([0x30 | qos << 1 | retain]) + length + body


class Connected:
    """A client, as if it had connected to `broker`. `taken`: what it took, as (topic, payload, qos, retain, mid)."""

    def __init__(self, version):
        self.broker, own = socket.socketpair()
        own.setblocking(False)
        self.client = Client(
            paho.CallbackAPIVersion.VERSION2, client_id="t", protocol=VERSIONS[version], manual_ack=True
        )
        self.client._sock = own
        self.taken, self.properties = [], []
        self.client.on_plain = self.take
        self.client.on_message = lambda _client, _data, message: self.take(message)

    def take(self, message):
        self.taken.append((message.topic, message.payload, message.qos, bool(message.retain), message.mid))
        self.properties.append(dict(getattr(message.properties, "UserProperty", None) or ()))

    def read(self):
        """Until nothing is left."""
        while True:
            before = len(self.taken)
            assert self.client.loop_read() == paho.MQTT_ERR_SUCCESS
            if len(self.taken) == before and not self.client.has_read_ahead:
                return

    def close(self):
        self.broker.close()
        self.client._sock.close()
        self.client._sock = None


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=30, deadline=None)
@given(messages=MESSAGES, cuts=st.lists(st.floats(0, 1), max_size=6))
def test_messages_are_taken_as_they_were_sent(version, messages, cuts):
    sent = b"".join(published(message, version) for message in messages)
    places = sorted({*(int(cut * len(sent)) for cut in cuts), *range(0, len(sent), AT_ONCE), len(sent)})
    connected = Connected(version)
    try:
        for begin, end in itertools.pairwise(places):
            connected.broker.sendall(sent[begin:end])
            connected.read()
    finally:
        connected.close()
    assert connected.taken == [
        (topic, payload, qos, retain, mid if qos else 0) for topic, payload, qos, retain, mid, _ in messages
    ]
    expected = [{"unit": "bar"} if message[5] and version == "5" else {} for message in messages]
    assert connected.properties == expected


def test_a_message_of_qos_2_is_left_to_paho():
    connected = Connected("5")
    connected.broker.sendall(published(("a/b", b"x", 2, False, 7, False), "5"))
    connected.read()
    assert connected.taken == []
    assert connected.broker.recv(100)[0] >> 4 == 5  # PUBREC
    connected.broker.sendall(b"\x62\x02\x00\x07")  # PUBREL
    connected.read()
    connected.close()
    assert connected.taken == [("a/b", b"x", 2, False, 7)]


def test_messages_are_acknowledged_together():
    connected = Connected("5")
    connected.client.acknowledge([1, 500])
    connected.client.acknowledge([])
    assert connected.broker.recv(100) == b"\x40\x02\x00\x01\x40\x02\x01\xf4"
    connected.close()


@pytest.mark.parametrize(
    "packet", [b"", b"\0", b"\0\0ab", b"\0\x09ab", b"\0\x01\xff\0\x01\0x", b"\0\x02ab", b"\0\x02ab\0\1"]
)
def test_what_is_malformed_is_left_to_paho(packet):
    assert paho_client._decoded(0x32, packet, has_properties=True) is None


def test_a_connection_that_ends_is_noticed():
    connected = Connected("5")
    connected.broker.sendall(published(("a/b", b"x", 1, False, 7, False), "5"))
    connected.broker.close()
    connected.client.loop_read()
    assert connected.client.loop_read() != paho.MQTT_ERR_SUCCESS
    assert len(connected.taken) == 1
