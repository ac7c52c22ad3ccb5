"""An edge node of Sparkplug B that makes payloads, for tests: births with aliases, data by alias, deaths."""

from __future__ import annotations

from typing import Any

from eugenie_cli.sources.mqtt.sparkplug_payload import payload_type

DOUBLE, INT8, INT16, INT32, INT64, UINT64, FLOAT, BOOLEAN, STRING, DATE_TIME = 10, 1, 2, 3, 4, 8, 9, 11, 12, 13
FIELDS = {
    **dict.fromkeys((INT8, INT16, INT32, 5, 6, 7), "int_value"),
    **dict.fromkeys((INT64, UINT64, DATE_TIME), "long_value"),
    **{FLOAT: "float_value", DOUBLE: "double_value", BOOLEAN: "boolean_value", STRING: "string_value"},
}


class EdgeNode:
    """`metrics`: (device, name) -> datatype; aliases count from `first_alias` in their order."""

    def __init__(self, metrics: dict[tuple[str, str], int], group="G", name="N", first_alias=0) -> None:
        self.group, self.name, self.metrics = group, name, metrics
        self.aliases = {key: first_alias + number for number, key in enumerate(metrics)}
        self.seq, self.birth = -1, 0

    @property
    def devices(self) -> list[str]:
        return list(dict.fromkeys(device for device, _ in self.metrics if device))

    def topic(self, kind: str, device: str = "") -> str:
        return "/".join(["spBv1.0", self.group, kind, self.name, *filter(None, [device])])

    def births(self, ts: int, values: dict[tuple[str, str], Any]) -> list[tuple[str, bytes]]:
        """NBIRTH and a DBIRTH for each device. `values`: those that are given; others are null."""
        self.seq = -1
        sent = []
        for device in ["", *self.devices]:
            payload = self._payload(ts)
            if not device:
                payload.metrics.add(name="bdSeq", datatype=UINT64, long_value=self.birth, timestamp=ts)
                payload.metrics.add(name="Node Control/Rebirth", datatype=BOOLEAN, boolean_value=False, timestamp=ts)
            for key in self.metrics:
                if key[0] == device:
                    metric = self._metric(payload, key, ts, values.get(key))
                    metric.name, metric.datatype = key[1], self.metrics[key]
            sent.append((self.topic("DBIRTH" if device else "NBIRTH", device), payload.SerializeToString()))
        return sent

    def data(self, ts: int, values: dict[tuple[str, str], Any], **fields: Any) -> list[tuple[str, bytes]]:
        """NDATA and DDATA by alias. `fields`: set on each metric, such as is_historical."""
        sent = []
        for device in dict.fromkeys(device for device, _ in values):
            payload = self._payload(ts)
            for key, value in values.items():
                if key[0] == device:
                    metric = self._metric(payload, key, ts, value)
                    for name, given in fields.items():
                        setattr(metric, name, given)
            sent.append((self.topic("DDATA" if device else "NDATA", device), payload.SerializeToString()))
        return sent

    def death(self, ts: int, device: str = "") -> tuple[str, bytes]:
        if device:
            return self.topic("DDEATH", device), self._payload(ts).SerializeToString()
        payload = payload_type()(timestamp=ts)
        payload.metrics.add(name="bdSeq", datatype=UINT64, long_value=self.birth)
        return self.topic("NDEATH"), payload.SerializeToString()

    def _payload(self, ts: int) -> Any:
        self.seq = (self.seq + 1) % 256
        return payload_type()(timestamp=ts, seq=self.seq)

    def _metric(self, payload: Any, key: tuple[str, str], ts: int, value: Any) -> Any:
        metric = payload.metrics.add(alias=self.aliases[key], timestamp=ts)
        if value is None:
            metric.is_null = True
        else:
            field = FIELDS[self.metrics[key]]
            bits = 32 if field == "int_value" else 64
            signed = field in ("int_value", "long_value") and value < 0
            setattr(metric, field, value + (1 << bits) if signed else value)
        return metric
