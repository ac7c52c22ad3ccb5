"""Whatever interrupts an import from any type of source: after another run, history is that of an undisturbed one.

By default two processes are killed. With EUGENIE_CHAOS=full it is fifty.
"""

from __future__ import annotations

import json
import os
import random
import time
from contextlib import ExitStack

import numpy as np
import pytest
from confluent_kafka import Producer as Client
from confluent_kafka.admin import AdminClient, NewTopic
from support import all_sources, sql_servers
from support.all_sources import DATABASES, FILES, OF_SENSOR, messages, nodes, points, rows, write_files
from support.debian_packages import Unavailable
from support.import_processes import import_processes
from support.influx_server import InfluxServer, influx_package
from support.interrupted_imports import contents, history_of
from support.opcua import opcua_server
from support.small_disk import small_disk

from eugenie_cli.errors import ExitCode
from eugenie_cli.history.verification import verify

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_800)]

FULL = os.environ.get("EUGENIE_CHAOS") == "full"
KILLS = 50 if FULL else 2
SITE = "support.all_sources"


@pytest.fixture(scope="module")
def plant(engines, tmp_path_factory):
    """The folder of a plant with a source of every type."""
    folder = tmp_path_factory.mktemp("plant")
    write_files(folder)
    with ExitStack() as running:
        try:
            database = running.enter_context(sql_servers.postgresql())
            influx = InfluxServer(
                influx_package(tmp_path_factory.mktemp("package") / "influxdb"), tmp_path_factory.mktemp("influx")
            )
        except Unavailable as why:
            pytest.skip(str(why))
        running.callback(influx.kill)
        database.run(f"CREATE TABLE log ({all_sources.COLUMNS})", "GRANT SELECT ON log TO reader")
        with database.connect("plant") as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO log VALUES (%s, %s, %s, %s)", list(rows("postgresql")))
        influx.write(points("influxdb"))
        server = running.enter_context(opcua_server(tmp_path_factory.mktemp("opcua"), nodes("opcua"), page=300))
        kafka = {"bootstrap.servers": engines.kafka}
        admin = AdminClient(kafka)
        admin.create_topics([NewTopic("plant.all", 1, 1)])["plant.all"].result(20)
        producer = Client(kafka)
        for message in messages("kafka"):
            producer.produce("plant.all", message)
        assert producer.flush(20) == 0
        addresses = {"postgresql": database.address, "influxdb": influx.url, "opcua": server.endpoint}
        (folder / "servers.json").write_text(json.dumps({**addresses, "kafka": engines.kafka}))
        yield folder


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with import_processes(tmp_path_factory.mktemp("output")) as ready:
        yield ready


@pytest.fixture(scope="module")
def start(processes, plant):
    """workspace -> an import of the plant."""
    return lambda workspace: processes.start(SITE, plant, workspace)


@pytest.fixture(scope="module")
def undisturbed(start, processes, tmp_path_factory):
    """What an undisturbed run gives, and how long it takes, s."""
    workspace = tmp_path_factory.mktemp("undisturbed")
    process, began = start(workspace), time.monotonic()
    assert processes.finish(process) == (0, "")
    return contents(workspace), time.monotonic() - began, workspace


def test_every_source_gives_what_was_put_in(plant, undisturbed):
    history = history_of(undisturbed[2])
    names = [*FILES, *DATABASES, *json.loads((plant / "servers.json").read_text())]
    assert sorted(history.assets()) == sorted(names)
    for asset in names:
        read = history.read(asset)
        for number, sensor in enumerate(read.names):
            expected = [(ts, value) for ts, _, of, value in rows(asset) if of == sensor]
            own = read.sensor == number
            assert read.ts[own].tolist() == [ts for ts, _ in expected], (asset, sensor)
            values = np.array([np.nan if value is None else value for _, value in expected])
            np.testing.assert_array_equal(read.value[own], values, f"{asset} {sensor}")
        assert set(read.names) == set(OF_SENSOR)


def test_a_process_killed_at_any_moment_loses_and_doubles_nothing(start, processes, undisturbed, tmp_path, tell):
    expected, seconds, _ = undisturbed
    chance = random.Random(KILLS)
    before: dict[int, int] = {}
    for number in range(KILLS):
        workspace = tmp_path / str(number)
        for _ in range(1 + number % 2):  # sometimes the second run is killed, too
            process = start(workspace)
            time.sleep(seconds * (number + chance.random()) / KILLS)  # spread over the import
            process.kill()
            processes.finish(process)
            assert verify(history_of(workspace)).damaged == ()
        reached = len(history_of(workspace).sources())
        before[reached] = before.get(reached, 0) + 1
        assert processes.finish(start(workspace)) == (0, ""), f"moment {number}"
        assert contents(workspace) == expected, f"moment {number}"
        assert verify(history_of(workspace)).damaged == ()
    tell(f"{KILLS} imports killed; sources reached before: {dict(sorted(before.items()))}")


def test_two_importers_at_once_give_what_one_gives(start, processes, undisturbed, tmp_path):
    ended = [processes.finish(process) for process in [start(tmp_path), start(tmp_path)]]
    assert {code for code, _ in ended} <= {ExitCode.OK, ExitCode.REFUSED, ExitCode.PARTLY}, ended
    assert all(not output or "is already running" in output for _, output in ended), ended
    assert processes.finish(start(tmp_path)) == (0, "")
    assert contents(tmp_path) == undisturbed[0]


def test_a_disk_that_fills_up_loses_and_doubles_nothing(start, processes, undisturbed, tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "240k") as resize:
        code, output = processes.finish(start(disk))
        assert code in (ExitCode.FAILED, ExitCode.PARTLY)
        assert "cannot be written: No space left on device" in output
        assert verify(history_of(disk)).damaged == ()
        resize("40m")
        assert processes.finish(start(disk)) == (0, "")
        assert contents(disk) == undisturbed[0]
