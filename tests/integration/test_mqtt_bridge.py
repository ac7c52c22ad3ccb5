"""The bridge on a real MQTT broker and a real Kafka: what was published is in the topic, whatever fails meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("paho.mqtt", reason="needs the extra mqtt")

import paho.mqtt.client as paho
import yaml
from support.certificates import Authority
from support.debian_packages import Unavailable
from support.model_server import wait_until
from support.mosquitto import mosquitto, mosquitto_package
from support.sparkplug import DOUBLE, EdgeNode
from support.streamed_readings import streamed

from eugenie_cli.bridge.running import run_bridge
from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.mqtt.sparkplug_payload import payload_type

pytestmark = pytest.mark.integration

TS = 1_767_225_600_000


class Progress:
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)

    def has(self, text):
        return any(text in line for line in self.said)


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    try:
        return mosquitto_package(tmp_path_factory.mktemp("programs") / "mosquitto")
    except Unavailable as error:
        pytest.skip(str(error))


def plant(engines, name, url, **source):
    given = {"name": "gateway", "type": "mqtt", "url": url, **source}
    if "sparkplug" not in given:
        given.setdefault("topics", ["plant/{asset}/{sensor}"])
        given.setdefault("readings", {"ts": {"path": "ts", "unit": "ms"}})
    return engines.site(
        name,
        sources=[given],
        classes={"pump": {"sensors": [{"name": "flow"}, {"name": "pressure"}], "step": "1s", "max_gap": "5s"}},
        assets={f"p{number}": {"class": "pump"} for number in range(1, 4)},
    )


class Bridge:
    """A bridge in a thread."""

    def __init__(self, site, progress, **arguments):
        self.site, self.progress, self.stop = site, progress, threading.Event()
        self._reports, self._before = [], len(progress.said)
        self._thread = threading.Thread(target=self._run, kwargs=arguments)

    def _run(self, **arguments):
        self._reports.append(run_bridge(self.site, "gateway", self.progress, 120.0, self.stop, **arguments))

    def __enter__(self):
        self._thread.start()
        wait_until(lambda: any("subscribed to" in line for line in self.progress.said[self._before :]))
        return self

    def __exit__(self, *error):
        print(*self.progress.said, sep="\n")
        self.stop.set()
        self._thread.join(30)

    @property
    def report(self):
        (report,) = self._reports
        return report


class Publisher:
    """A client that publishes with QoS 1, and publishes again what a broker has not confirmed."""

    def __init__(self, server, number=0):
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=f"publisher-{number}", clean_session=False
        )
        self.client.reconnect_delay_set(1, 1)
        self.confirmed = 0
        self.client.on_publish = self._on_publish
        self.client.connect("127.0.0.1", server.port)
        self.client.loop_start()
        self.sent = []

    def _on_publish(self, *_):
        self.confirmed += 1

    def send(self, number, asset="p1", sensor="flow"):
        ts, value = TS + number, number / 4
        message = json.dumps({"ts": ts, "value": value})
        self.client.publish(f"plant/{asset}/{sensor}", message, qos=1)
        self.sent.append((asset, sensor, ts, value))

    def close(self):
        wait_until(lambda: self.confirmed >= len(self.sent))
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_was_published_is_streamed(engines, package, progress, tmp_path, version):
    """The broker stops, in order and killed, and the bridge pauses; messages are published all the time."""
    with mosquitto(tmp_path / "broker", package) as server:
        site = plant(engines, f"mqtt-{version.replace('.', '')}", server.url, version=version)
        publisher = Publisher(server)
        with Bridge(site, progress) as bridge:
            for number in range(500):
                publisher.send(number, f"p{number % 3 + 1}")
            wait_until(lambda: len(streamed(site)) >= 500)
            server.stop()
            for number in range(500, 700):
                publisher.send(number)
            wait_until(lambda: progress.has("connecting again"))
            server.start()
            wait_until(lambda: sum("subscribed to" in line for line in progress.said) == 2)
            for number in range(700, 800):
                publisher.send(number, sensor="pressure")
            wait_until(lambda: len(set(streamed(site))) >= 800)
        first = bridge.report
        for number in range(800, 1_000):  # nobody is there
            publisher.send(number)
        publisher.close()
        with Bridge(site, progress):
            wait_until(lambda: len(set(streamed(site))) >= 1_000)
    assert set(streamed(site)) == set(publisher.sent)
    assert (first.lost, first.returned, first.waiting, first.gaps, dict(first.rejected)) == (0, 0, 0, [], {})
    assert sum("connection was lost" in line for line in progress.said) == 1


def test_a_bridge_that_is_killed_loses_nothing(engines, package, tmp_path):
    """The process is killed twice while messages are published; some may then be in the topic twice."""
    with mosquitto(tmp_path / "broker", package) as server:
        site = plant(engines, "mqtt-killed", server.url)
        file = tmp_path / "site-configs" / "plant.yaml"
        file.parent.mkdir()
        document = site.model_dump(
            mode="json", by_alias=True, include={"site", "sources", "classes", "assets", "kafka"}
        )
        file.write_text(yaml.safe_dump({**document, "workspace": str(tmp_path / "workspace")}))
        command = [Path(sys.executable).with_name("eugenie"), "bridge", "gateway", "--site", str(file)]
        publisher, number, log = Publisher(server), 0, tmp_path / "bridge.log"
        for ending in ("kill", "kill", "terminate"):
            with log.open("ab") as output:
                process = subprocess.Popen(command, stdout=output, stderr=output)
            wait_until(lambda process=process: process.poll() is not None or b"subscribed" in log.read_bytes())
            until = number + 1_000
            while number < until:
                publisher.send(number, f"p{number % 3 + 1}")
                number += 1
                time.sleep(0.0005)
            if ending == "terminate":
                wait_until(lambda until=until: len(set(streamed(site))) >= until)
            getattr(process, ending)()
            code = process.wait(20)
            log.write_bytes(log.read_bytes().replace(b"subscribed", b"ended"))
        publisher.close()
    assert code == 0, log.read_text()
    stream = streamed(site)
    assert set(stream) == set(publisher.sent)
    assert len(stream) < 2 * len(publisher.sent)


def test_sparkplug_nodes(engines, package, progress, tmp_path):
    """Births, data by alias, a lost message, the rebirth that the bridge asks for, and the death of a node."""
    flow, pressure = ("p1", "flow"), ("p1", "pressure")
    names = {"asset": "{device}", "sensor": "{metric}", "host": "eugenie"}
    with mosquitto(tmp_path / "broker", package) as server:
        site = plant(engines, "mqtt-sparkplug", server.url, sparkplug=names)
        node, asked, state = EdgeNode({flow: DOUBLE, pressure: DOUBLE}), threading.Event(), []
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="node")

        def arrived(_client, _data, message):
            if message.topic.startswith("spBv1.0/STATE"):
                state.append(json.loads(message.payload)["online"])
            elif payload_type().FromString(message.payload).metrics[0].name == "Node Control/Rebirth":
                asked.set()

        client.on_message = arrived
        will = node.death(TS)
        client.will_set(*will, qos=1)
        client.connect("127.0.0.1", server.port)
        client.subscribe([("spBv1.0/G/NCMD/N", 1), ("spBv1.0/STATE/eugenie", 1)])
        client.loop_start()

        def send(messages):
            for topic, payload in messages:
                client.publish(topic, payload, qos=0).wait_for_publish(10)

        with Bridge(site, progress) as bridge:
            wait_until(lambda: state[-1:] == [True])
            send(node.births(TS, {flow: 1.0, pressure: 2.0}))
            for number in range(1, 300):  # sequence numbers begin again at 0
                send(node.data(TS + number, {flow: number / 4}))
            node.data(TS + 300, {flow: 0.0})  # lost on its way
            send(node.data(TS + 301, {pressure: 301.0}))
            assert asked.wait(20)
            send(node.births(TS + 302, {flow: 3.0, pressure: None}))
            wait_until(lambda: len(streamed(site)) >= 304)
            client.loop_stop()
            client.socket().close()  # without a word: the broker sends the will
            wait_until(lambda: len(streamed(site)) >= 306)
        report = bridge.report
    stream = streamed(site)
    expected = {("p1", "flow", TS + number, number / 4) for number in range(1, 300)}
    expected |= {("p1", "flow", TS, 1.0), ("p1", "pressure", TS, 2.0), ("p1", "pressure", TS + 301, 301.0)}
    expected |= {("p1", "flow", TS + 302, 3.0), ("p1", "pressure", TS + 302, None)}
    assert set(stream[:-2]) == expected
    assert {(asset, sensor, value) for asset, sensor, _, value in stream[-2:]} == {
        ("p1", "flow", None),
        ("p1", "pressure", None),
    }
    assert all(TS + 302 < ts < TS + 60_000 for *_, ts, _ in stream[-2:])
    assert report.gaps == ["G/N: messages were lost, its sequence numbers have a gap"]
    assert dict(report.rejected) == {}


def test_brokers_that_refuse(engines, package, progress, tmp_path):
    """A wrong password, a topic that may not be subscribed to, a certificate that nobody signed, nobody at the port."""
    own = Authority(tmp_path / "tls", "plant").sign("broker")
    rules = {
        "defaultACLAccess": {"subscribe": False, "publishClientReceive": True, "publishClientSend": True},
        "clients": [],
        "roles": [],
    }
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    with mosquitto(tmp_path / "open", package) as server:
        plugin = server.plugins
        nobody = server.port
    (tmp_path / "passwords").write_text("")
    refusals = [
        (
            "allow_anonymous false",
            {"username": "reader", "password": "word"},
            "refuses the user reader: Not authorized",
        ),
        (
            f"allow_anonymous true\nplugin {plugin}\nplugin_opt_config_file {tmp_path / 'rules.json'}",
            {},
            "refuses the subscription to plant/[+]/[+]: Not authorized",
        ),
        (
            f"allow_anonymous true\ncertfile {own.certificate}\nkeyfile {own.key}",
            {"secure": True},
            "the broker's certificate is not accepted",
        ),
    ]
    for number, (lines, settings, why) in enumerate(refusals):
        with mosquitto(tmp_path / str(number), package, lines) as server:
            secure = settings.pop("secure", False)
            url = server.url.replace("mqtt:", "mqtts:") if secure else server.url
            site = plant(engines, f"mqtt-refused-{number}", url, **settings)
            with pytest.raises(EugenieError, match=why) as raised:
                run_bridge(site, "gateway", progress, 20.0)
            assert "word" not in str(raised.value)
    site = plant(engines, "mqtt-nobody", f"mqtt://127.0.0.1:{nobody}")
    run_bridge(site, "gateway", progress, 4.0)
    assert sum("cannot be reached" in line for line in progress.said) == 1


def test_tls_with_a_name_and_a_password(engines, package, progress, tmp_path):
    authority = Authority(tmp_path / "tls", "plant")
    own = authority.sign("broker")
    lines = f"allow_anonymous true\ncertfile {own.certificate}\nkeyfile {own.key}"
    with mosquitto(tmp_path / "broker", package, lines) as server:
        url = server.url.replace("mqtt:", "mqtts:")
        site = plant(engines, "mqtt-tls", url, ca=str(authority.ca), username="reader", password="word")
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.tls_set(str(authority.ca))
        client.connect("127.0.0.1", server.port)
        client.loop_start()
        with Bridge(site, progress):
            for number in range(50):
                client.publish("plant/p1/flow", json.dumps({"ts": TS + number, "value": number}), qos=1)
            wait_until(lambda: len(streamed(site)) >= 50)
        client.loop_stop()
    assert [value for *_, value in streamed(site)] == list(range(50))
