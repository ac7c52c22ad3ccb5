"""An anomaly as read from Kafka. Tolerant: missing or unknown fields never stop a tail."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eugenie_cli.episodes.records import ANOMALY_SCHEMA
from eugenie_cli.site.field_types import parse_instant, to_ms

CLOSED = "closed"
# The common part of the schema names of all versions: eugenie.anomaly.v1, v2 ...
_SCHEMA_FAMILY = ANOMALY_SCHEMA.rpartition(".")[0] + "."


@dataclass(frozen=True)
class SensorShare:
    """A sensor's share of an anomaly: `contribution` 0..1; `value` and `forecast` in `unit`, None if missing."""

    sensor: str
    contribution: float
    value: float | None
    forecast: float | None
    unit: str


@dataclass(frozen=True)
class Anomaly:
    """The latest record of an anomaly. Instants are ms since 1970 UTC. The threshold of scores is 1."""

    id: str
    site: str
    asset: str
    class_name: str
    state: str
    start_ms: int
    detected_ms: int
    end_ms: int | None
    reason: str | None
    score: float | None
    peak: float | None
    severity: str
    sensors: tuple[SensorShare, ...]
    model: str
    version: int | None

    @property
    def is_open(self) -> bool:
        return self.state != CLOSED


def parse_record(value: bytes | None) -> tuple[Anomaly, dict[str, Any]] | None:
    """Parse a Kafka value into an anomaly and its JSON record; None if it is not an anomaly record."""
    try:
        record = json.loads(value) if value else None
    except ValueError:  # UnicodeDecodeError is one
        return None
    if not isinstance(record, dict) or not str(record.get("schema", "")).startswith(_SCHEMA_FAMILY):
        return None
    start = _instant(record.get("start"))
    if start is None or not record.get("id") or not record.get("asset"):
        return None
    return _anomaly(record, start), record


def _anomaly(record: Mapping[str, Any], start: int) -> Anomaly:
    model = record.get("model")
    model = model if isinstance(model, dict) else {}
    version = model.get("version")
    sensors = record.get("sensors")
    return Anomaly(
        id=str(record["id"]),
        site=_text(record.get("site")),
        asset=str(record["asset"]),
        class_name=_text(record.get("class")),
        state=_text(record.get("state")),
        start_ms=start,
        detected_ms=_instant(record.get("detected")) or start,
        end_ms=_instant(record.get("end")),
        reason=_text(record.get("reason")) or None,
        score=_number(record.get("score")),
        peak=_number(record.get("peak")),
        severity=_text(record.get("severity")),
        sensors=tuple(_share(item) for item in sensors if isinstance(item, dict)) if isinstance(sensors, list) else (),
        model=_text(model.get("name")),
        version=version if isinstance(version, int) else None,
    )


def _share(item: Mapping[str, Any]) -> SensorShare:
    return SensorShare(
        sensor=_text(item.get("sensor")),
        contribution=_number(item.get("contribution")) or 0.0,
        value=_number(item.get("value")),
        forecast=_number(item.get("forecast")),
        unit=_text(item.get("unit")),
    )


def _instant(value: object) -> int | None:
    try:
        instant: datetime = parse_instant(value)
    except ValueError:
        return None
    return to_ms(instant) if instant.tzinfo is not None else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _text(value: object) -> str:
    return "" if value is None else str(value)
