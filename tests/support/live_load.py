"""A plant that sends every tag once a second: `python -m support.live_load KIND PORT TAGS`, in a process of its own.

KIND: opcua (a server on the port) or mqtt (a client of the broker on it, with a message per asset and QoS 1). It prints
"ready", then the instant of each second, ms, once all of its values are written; it ends with its standard input. The
value of tag `number` is `value_of(number, instant)`.

asyncua's server takes a core for some 3,000 values a second. node-opcua's (`node_opcua_load.js`) writes 10,000 with an
eighth of one: `Load` starts it if it is given a folder with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

SENSORS = 10
TESTS = Path(__file__).parent.parent
NODE_LOAD = Path(__file__).with_name("node_opcua_load.js")
URI = "urn:test:load"


def value_of(number: int, instant: int) -> float:
    return (instant // 1_000 % 1_000) + number / 16


def classes() -> dict:
    return {"pump": {"sensors": [{"name": f"s{number}"} for number in range(SENSORS)], "step": "1s", "max_gap": "5s"}}


def assets(tags: int) -> dict:
    return {f"p{number}": {"class": "pump"} for number in range(tags // SENSORS)}


def expected(tags: int, instants: list[int]) -> set[tuple[str, str, int, float]]:
    """(asset, sensor, ts, value) of everything that was sent."""
    names = [(number, f"p{number // SENSORS}", f"s{number % SENSORS}") for number in range(tags)]
    return {(asset, sensor, ts, value_of(number, ts)) for ts in instants for number, asset, sensor in names}


class Load:
    """The running plant. `instants`: what has been sent so far, as `read` has seen it."""

    def __init__(self, kind: str, port: int, tags: int, log: Path, modules: Path | None = None) -> None:
        paths = os.pathsep.join([str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "support.live_load", kind, str(port), str(tags)]
        if modules is not None:
            command = ["node", str(NODE_LOAD), str(port), str(tags), str(SENSORS)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            text=True,
            cwd=modules,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self.instants: list[int] = []
        said = []
        while (line := self.process.stdout.readline()) and line.strip() != "ready":
            said.append(line)
        assert line.strip() == "ready", "".join(said) + log.read_text()[-2000:]

    def stop(self) -> list[int]:
        """End it. Returns all instants."""
        rest, _ = self.process.communicate(timeout=60)
        return [int(line) for line in rest.split()]


def _ticks(send: Callable[[int], None]) -> None:
    print("ready", flush=True)
    at = int(time.time()) + 1
    while not _ended():
        time.sleep(max(0.0, at - time.time()))
        instant = max(at, int(time.time())) * 1_000
        send(instant)
        print(instant, flush=True)
        at = instant // 1_000 + 1


def _ended() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def mqtt(port: int, tags: int) -> None:
    import paho.mqtt.client as paho

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="load", clean_session=False)
    client.max_inflight_messages_set(10_000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    published = []

    def send(instant: int) -> None:
        for asset in range(tags // SENSORS):
            numbers = range(asset * SENSORS, (asset + 1) * SENSORS)
            values = {f"s{number % SENSORS}": value_of(number, instant) for number in numbers}
            published.append(client.publish(f"plant/p{asset}", json.dumps({"ts": instant, **values}), qos=1))

    _ticks(send)
    for info in published[-2 * (tags // SENSORS) :]:
        info.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


async def opcua(port: int, tags: int) -> None:
    from asyncua import Server, ua

    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
    space = await server.register_namespace(URI)
    plant = folder = await server.nodes.objects.add_folder(space, "Plant")
    ids = []
    for number in range(tags):
        if number % SENSORS == 0:  # asyncua looks through all children of a folder for each new one
            folder = await plant.add_folder(space, f"p{number // SENSORS}")
        name = f"p{number // SENSORS}.s{number % SENSORS}"
        node = await folder.add_variable(ua.NodeId(name, space), ua.QualifiedName(name, space), 0.0)
        ids.append(node.nodeid)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    async with server:
        print("ready", flush=True)
        at = int(time.time()) + 1
        while not _ended():
            await asyncio.sleep(max(0.0, at - time.time()))
            instant = max(at, int(time.time())) * 1_000
            when = epoch + timedelta(milliseconds=instant)
            for number, node in enumerate(ids):
                value = ua.Variant(value_of(number, instant), ua.VariantType.Double)
                await server.write_attribute_value(node, ua.DataValue(value, ua.StatusCode(0), when, when))
                if number % 100 == 99:
                    await asyncio.sleep(0)  # for the subscriptions
            print(instant, flush=True)
            at = instant // 1_000 + 1
        await asyncio.sleep(2.0)  # for the last publications


if __name__ == "__main__":
    kind, port, tags = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if kind == "mqtt":
        mqtt(port, tags)
    else:
        asyncio.run(opcua(port, tags))
