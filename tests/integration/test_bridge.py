"""The bridge on a real OPC UA server and a real broker: what is imported later equals what was streamed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("asyncua", reason="needs the extra opcua")

import yaml
from support import sql_servers
from support.debian_packages import Unavailable
from support.model_server import wait_until
from support.opcua import opcua_server
from support.streamed_readings import streamed

from eugenie_cli.bridge.running import run_bridge
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.operations.down import down
from eugenie_cli.operations.up import up
from eugenie_cli.site.kafka import Kafka
from eugenie_cli.site.load import workspace_of
from eugenie_cli.sources.importing import import_sources

pytestmark = pytest.mark.integration

GOOD, BAD = 0, 0x8000_0000


class Progress:
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def progress():
    return Progress()


def plant(site_factory, endpoint, source=None, **bridge):
    source = source or {
        "name": "plc",
        "type": "opcua",
        "endpoint": endpoint,
        "start": "1h",
        "window": "1h",
        "bridge": {"publishing": "100ms", "sampling": "100ms", "keep_alive": "1s", **bridge},
    }
    return site_factory(
        "bridged",
        sources=[source],
        classes={"pump": {"sensors": [{"name": "flow"}, {"name": "pressure"}], "step": "1s", "max_gap": "5s"}},
        assets={"p1": {"class": "pump", "tags": {"flow": "ns=2;s=flow", "pressure": "ns=2;s=pressure"}}},
    )


def of_sensors(site):
    """(sensor, ts, value or None) of all records: there is one asset."""
    return [reading[1:] for reading in streamed(site)]


def imported(site):
    import_sources(site)
    read = open_history(site).read("p1")
    values = [None if np.isnan(value) else value for value in read.value.tolist()]
    return sorted(zip([read.names[at] for at in read.sensor], read.ts.tolist(), values, strict=True), key=str)


def test_what_is_imported_later_equals_what_was_streamed(site_factory, progress, tmp_path):
    """The broker stops and starts, and the server is killed and comes back with values that nobody saw."""
    written: dict[str, list] = {"flow": [], "pressure": []}

    def write(server, number):
        values = {"flow": [number / 4, GOOD], "pressure": [float(number), BAD if number % 5 == 0 else GOOD]}
        now = server.write(values)
        for name, value in values.items():
            written[name].append([now, *value])
        time.sleep(0.02)

    reports, stop = [], threading.Event()
    with opcua_server(tmp_path, {name: {} for name in written}) as server:
        site = plant(site_factory, server.endpoint)
        up(site, only=("kafka",))
        try:
            write(server, 0)
            bridge = threading.Thread(target=lambda: reports.append(run_bridge(site, "plc", progress, 90.0, stop)))
            bridge.start()
            wait_until(lambda: any("subscribed to 2 nodes" in line for line in progress.said))
            for number in range(1, 40):
                write(server, number)
            down(site)
            for number in range(40, 180):
                write(server, number)
            wait_until(lambda: any("stored in" in line for line in progress.said))
            up(site, only=("kafka",))
            port = int(server.endpoint.split(":")[2].split("/")[0])
            server.kill()
            for name in written:  # while nobody listened
                last = written[name][-1][0]
                written[name] += [[last + 10 * number, float(number), GOOD] for number in range(1, 50)]
            nodes = {name: {"values": values} for name, values in written.items()}
            with opcua_server(tmp_path, nodes, port=port) as server:
                wait_until(lambda: sum("subscribed to 2 nodes" in line for line in progress.said) == 2)
                for number in range(180, 200):
                    write(server, number)
                time.sleep(1.0)
                stop.set()
                bridge.join(30)
                (report,) = reports
                history = imported(site)
            stream = of_sensors(site)
        finally:
            down(site)
    expected = {
        (name, ts, None if status == BAD else value) for name, values in written.items() for ts, value, status in values
    }
    assert set(history) == expected
    since = min(ts for _, ts, _ in expected)
    assert {reading for reading in stream if reading[1] >= since} == expected, progress.said
    assert (report.lost, report.waiting, report.gaps) == (0, 0, [])
    assert report.stored > 0
    assert report.delivered == report.readings == len(stream)


def test_a_bridge_that_is_killed_reads_what_it_has_missed(site_factory, progress, tmp_path):
    """The process is killed, and values are written while nobody listens."""
    written = []

    def write(server, count):
        for number in range(count):
            written.append(("flow", server.write({"flow": [number / 4, GOOD]}), number / 4))
            time.sleep(0.02)

    with opcua_server(tmp_path, {"flow": {}, "pressure": {}}) as server:
        site = plant(site_factory, server.endpoint)
        file, log = tmp_path / "site-configs" / "bridged.yaml", tmp_path / "bridge.log"
        file.parent.mkdir()
        kept = {"site", "sources", "classes", "assets"}
        document = site.model_dump(mode="json", by_alias=True, include=kept, exclude_defaults=True)
        file.write_text(yaml.safe_dump({**document, "workspace": str(workspace_of(site).root)}))
        up(site, only=("kafka",))
        try:
            for ending in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
                with log.open("wb") as output:
                    command = [Path(sys.executable).with_name("eugenie"), "bridge", "plc", "--site", str(file)]
                    process = subprocess.Popen(command, stdout=output, stderr=output)
                wait_until(lambda: b"subscribed to 2 nodes" in log.read_bytes())
                write(server, 60)
                if ending == signal.SIGKILL:
                    time.sleep(1.5)  # what is kept is written down each second
                    write(server, 20)
                else:
                    wait_until(lambda: set(written) <= set(of_sensors(site)))
                process.send_signal(ending)
                process.wait(20)
                if ending == signal.SIGKILL:
                    write(server, 20)
            stream, history = of_sensors(site), imported(site)
        finally:
            down(site)
    assert {reading for reading in history if reading[0] == "flow"} >= set(written)
    assert {reading for reading in stream if reading[0] == "flow"} == {
        reading for reading in history if reading[0] == "flow"
    } | {reading for reading in stream if reading[0] == "flow" and reading not in written}
    assert set(written) <= set(stream)


def test_new_rows_of_a_database_are_streamed(site_factory, progress):
    """On a real server, which is killed and comes back; what is imported later equals what was streamed."""
    try:
        starting = sql_servers.postgresql()
    except Unavailable as error:
        pytest.skip(str(error))
    with starting as server:
        server.run(
            "CREATE TABLE log (ts timestamptz, sensor text, value double precision)",
            "GRANT SELECT ON log TO reader",
        )
        readings = {"asset": {"const": "p1"}, "sensor": {"path": "sensor"}}
        source = {"name": "plc", "type": "sql", "url": server.address, "username": "reader", "password": "secret-1"}
        source |= {"table": "log", "readings": readings, "start": "1h", "window": "1h", "bridge": {"every": "200ms"}}
        site = plant(site_factory, "opc.tcp://127.0.0.1:9", source=source | {"pace": {"retries": 0}})
        up(site, only=("kafka",))
        reports, stop, count = [], threading.Event(), 0

        def write(rows, late=0):
            nonlocal count
            for _ in range(rows):
                values = f"now() - interval '{late} s', 'flow', {count}"
                server.run(f"INSERT INTO log VALUES ({values})")
                count += 1

        try:
            write(5)
            bridge = threading.Thread(target=lambda: reports.append(run_bridge(site, "plc", progress, 90.0, stop)))
            bridge.start()
            wait_until(lambda: any("asked every" in line for line in progress.said))
            write(20)
            write(20, late=30)
            server.kill()
            wait_until(lambda: any("it is asked again" in line for line in progress.said))
            server.start()
            write(20)
            wait_until(lambda: len(of_sensors(site)) == count)
            stop.set()
            bridge.join(30)
            assert sorted(of_sensors(site), key=str) == imported(site)
        finally:
            stop.set()
            down(site)
    assert (reports[0].lost, reports[0].readings, reports[0].delivered) == (0, count, count)


def test_without_kafka_readings_wait_on_disk_for_the_next_run(site_factory, progress, tmp_path):
    with opcua_server(tmp_path, {"flow": {}, "pressure": {}}) as server:
        site = plant(site_factory, server.endpoint)
        bridge = threading.Thread(target=run_bridge, args=(site, "plc", progress, 1.5))
        bridge.start()
        wait_until(lambda: any("subscribed" in line for line in progress.said))
        server.write({"flow": [1.0, GOOD]})
        bridge.join(30)
        report = run_bridge(site, "plc", progress, 0.1)
    assert report.earlier >= 3
    assert report.waiting >= report.earlier
    assert any("of an earlier run are sent first" in line for line in progress.said)


def test_what_cannot_be_bridged_is_said(site_factory, progress):
    site = plant(site_factory, "opc.tcp://127.0.0.1:9")
    other = site.model_copy(update={"kafka": Kafka(readings={"shape": "wide", "asset": {"path": "asset"}})})
    with pytest.raises(EugenieError, match="does not read the records that the bridge sends"):
        run_bridge(other, "plc", progress)
