"""Anomaly records as the stream writes them."""

from __future__ import annotations

import json
from typing import Any


def record(**members: Any) -> dict[str, Any]:
    """A complete record; `members` replace its own."""
    return {
        "schema": "eugenie.anomaly.v1",
        "id": "5f0c",
        "site": "demo-plant",
        "asset": "pump-101",
        "class": "centrifugal-pump",
        "state": "open",
        "start": "2026-01-08T10:00:00.000Z",
        "detected": "2026-01-08T10:00:05.000Z",
        "end": None,
        "reason": None,
        "score": 3.4,
        "peak": 5.1,
        "severity": "high",
        "sensors": [
            {
                "sensor": "suction_pressure",
                "contribution": 0.61,
                "value": 0.4,
                "forecast": 2.1,
                "unit": "bar",
            },
            {"sensor": "motor_current", "contribution": 0.22, "value": 71.2, "forecast": 64.9, "unit": "A"},
            {"sensor": "vibration", "contribution": 0.1, "value": None, "forecast": 1.9, "unit": "mm/s"},
            {"sensor": "speed", "contribution": 0.05, "value": 1480.0, "forecast": 1480.0, "unit": "rpm"},
        ],
        "model": {"name": "centrifugal-pump", "version": 7},
        **members,
    }


def record_bytes(**members: Any) -> bytes:
    return json.dumps(record(**members)).encode()
