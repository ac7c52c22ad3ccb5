"""The plain way: a client's callback produces a record for each value.

The same records as the bridge's, from the same subscription, with the same producer settings; but nothing is checked,
nothing is stored while Kafka is away, and a message is acknowledged before its readings are anywhere.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import confluent_kafka
from support.live_load import SENSORS

KIND, PORT, TAGS, BOOTSTRAP, TOPIC = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]


def producer() -> confluent_kafka.Producer:
    settings = {"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True, "linger.ms": 20, "compression.type": "lz4"}
    return confluent_kafka.Producer({**settings, "batch.size": 256 * 1024, "queue.buffering.max.messages": 200_000})


def mqtt() -> None:
    import paho.mqtt.client as paho

    sink = producer()

    def arrived(_client: Any, _data: Any, message: Any) -> None:
        asset = message.topic.split("/")[1]
        values = json.loads(message.payload)
        ts = values.pop("ts")
        for sensor, value in values.items():
            record = {"asset": asset, "sensor": sensor, "ts": ts, "value": value, "quality": "good"}
            sink.produce(TOPIC, json.dumps(record), asset)
        sink.poll(0)

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="plain", protocol=paho.MQTTv5)
    client.on_message = arrived
    client.connect("127.0.0.1", PORT)
    client.subscribe("plant/+", qos=1)
    print("subscribed to all", file=sys.stderr, flush=True)
    client.loop_forever()


class Handler:
    """Takes asyncua's notifications."""

    def __init__(self, names: dict[Any, tuple[str, str]]) -> None:
        self._names, self._sink = names, producer()

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        asset, sensor = self._names[node.nodeid]
        ts = data.monitored_item.Value.SourceTimestamp.isoformat()
        record = {"asset": asset, "sensor": sensor, "ts": ts, "value": value, "quality": "good"}
        self._sink.produce(TOPIC, json.dumps(record), asset)
        self._sink.poll(0)


async def opcua() -> None:
    from asyncua import Client, ua

    async with Client(f"opc.tcp://127.0.0.1:{PORT}/plant", timeout=60) as client:
        pairs = [(f"p{number // SENSORS}", f"s{number % SENSORS}") for number in range(TAGS)]
        names = {ua.NodeId(f"{asset}.{sensor}", 2): (asset, sensor) for asset, sensor in pairs}
        subscription = await client.create_subscription(500, Handler(names))
        nodes = [client.get_node(name) for name in names]
        for at in range(0, len(nodes), 1_000):
            await subscription.subscribe_data_change(nodes[at : at + 1_000], queuesize=10, sampling_interval=0.0)
        print("subscribed to all", file=sys.stderr, flush=True)
        await asyncio.sleep(3_600)


if __name__ == "__main__":
    if KIND == "mqtt":
        mqtt()
    else:
        asyncio.run(opcua())
