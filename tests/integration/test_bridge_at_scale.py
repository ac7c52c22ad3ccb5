"""A plant of 10,000 tags at 1 Hz, an outage of Kafka of 60 s, and a bridge that is killed: nothing is lost.

It takes minutes, so it runs with EUGENIE_CHAOS=full; `test_bridge` and `test_mqtt_bridge` always test outages and kills
on small plants. The CPU time of the bridge per reading is printed. The OPC UA server is node-opcua's, which is
installed where EUGENIE_NODE_OPCUA says: asyncua's cannot write so many values.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytest.importorskip("asyncua", reason="needs the extra opcua")
pytest.importorskip("paho.mqtt", reason="needs the extra mqtt")

import yaml
from support.debian_packages import Unavailable
from support.live_load import Load, assets, classes, expected
from support.model_server import wait_until
from support.mosquitto import mosquitto, mosquitto_package
from support.node_opcua import node_modules
from support.opcua import free_port
from support.streamed_readings import streamed

from eugenie_cli.engines import process
from eugenie_cli.operations.down import down
from eugenie_cli.operations.up import up
from eugenie_cli.site.load import workspace_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.environ.get("EUGENIE_CHAOS") != "full", reason="takes minutes: with EUGENIE_CHAOS=full"),
]

TAGS, OUTAGE_S, AROUND_S = 10_000, 60.0, 10.0
IN_TIME = 0.95  # of the seconds in which a plant has to have written: it is the bridge that is tested


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    try:
        return mosquitto_package(tmp_path_factory.mktemp("programs") / "mosquitto")
    except Unavailable as error:
        pytest.skip(str(error))


class Bridge:
    """`eugenie bridge` in a process of its own. `cpu_s`: its CPU time since it was subscribed, once it has ended."""

    def __init__(self, site, file):
        self.log, self.cpu_s = file.with_suffix(".log"), 0.0
        command = [Path(sys.executable).with_name("eugenie"), "bridge", "source", "--site", str(file), "-o", "json"]
        before = self.log.read_bytes().count(b"subscribed to") if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        wait_until(lambda: self.log.read_bytes().count(b"subscribed to") > before, 120.0)
        times = psutil.Process(self._process.pid).cpu_times()
        self._begun_s = times.user + times.system

    def kill(self):
        """Whatever has become of it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def end(self, number=signal.SIGTERM):
        """The report, or nothing if it was killed."""
        self._process.send_signal(number)
        output = self._process.stdout.read()
        _, _, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        self.cpu_s = usage.ru_utime + usage.ru_stime - self._begun_s
        return json.loads(output) if output else None


def site_file(site, folder):
    file = folder / "site-configs" / "load.yaml"
    file.parent.mkdir()
    kept = {"site", "sources", "classes", "assets", "kafka"}
    document = site.model_dump(mode="json", by_alias=True, include=kept, exclude_defaults=True)
    document["workspace"] = str(workspace_of(site).root)
    file.write_text(yaml.safe_dump(document))
    return file


@contextlib.contextmanager
def source_of(kind, package, folder):
    """The settings of the source, and the port that the load takes."""
    if kind == "mqtt":
        with mosquitto(folder / "broker", package) as server:
            readings = {"shape": "wide", "ts": {"path": "ts", "unit": "ms"}}
            yield {"type": "mqtt", "url": server.url, "topics": ["plant/{asset}"], "readings": readings}, server.port
    else:
        port = free_port()
        node, bridge = "ns=2;s={asset}.{sensor}", {"backfill": False, "queue": 60, "sampling": "0s"}
        yield (
            {
                "type": "opcua",
                "endpoint": f"opc.tcp://127.0.0.1:{port}/plant",
                "node": node,
                "start": "1h",
                "bridge": bridge,
            },
            port,
        )


def _node_modules():
    try:
        return node_modules()
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("kind", ["opcua", "mqtt"])
def test_nothing_is_lost_over_an_outage_of_kafka(site_factory, package, tmp_path, kind, capsys):
    modules = _node_modules() if kind == "opcua" else None
    with source_of(kind, package, tmp_path) as (source, port):
        site = site_factory(
            f"load-{kind}", sources=[{"name": "source", **source}], classes=classes(), assets=assets(TAGS)
        )
        file = site_file(site, tmp_path)
        up(site, only=("kafka",))
        load = bridge = None
        try:
            if kind == "opcua":
                load = Load(kind, port, TAGS, tmp_path / "load.log", modules)
            bridge = Bridge(site, file)
            since = time.time() * 1_000
            load = load or Load(kind, port, TAGS, tmp_path / "load.log")
            time.sleep(AROUND_S)
            os.kill(process.read_run_file(workspace_of(site).run / "kafka.json").pid, signal.SIGKILL)
            time.sleep(OUTAGE_S)
            up(site, only=("kafka",))
            time.sleep(AROUND_S)
            instants = [instant for instant in load.stop() if instant > since + 1_000]
            due = expected(TAGS, instants)
            wait_until(lambda: b"taken all stored readings" in bridge.log.read_bytes(), 120.0)
            time.sleep(1.0)
            report = bridge.end()
            stream = streamed(site)
        finally:
            if bridge is not None:
                bridge.kill()
            if load is not None and load.process.poll() is None:
                load.process.kill()
            down(site)
    with capsys.disabled():
        figures = {
            "kind": kind,
            "tags": TAGS,
            "outage_s": OUTAGE_S,
            "readings": report["readings"],
            "seconds_sent": len(instants),
            "stored": report["stored"],
            "sent_twice": len(stream) - len(set(stream)),
            "cpu_us_per_reading": round(bridge.cpu_s / report["readings"] * 1e6, 2),
        }
        print("\n" + json.dumps(figures))
    assert due - set(stream) == set(), bridge.log.read_text()[-2000:]
    assert (report["lost"], report["waiting"], report["returned"], report["rejected"]) == (0, 0, 0, {})
    assert report["stored"] > 0
    assert len(instants) > IN_TIME * (OUTAGE_S + 2 * AROUND_S), "the plant itself is too slow"
