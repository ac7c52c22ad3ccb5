"""A site with two classes, whose sections tests replace as needed."""

from __future__ import annotations

from typing import Any

DOCUMENT: dict[str, Any] = {
    "site": "plant",
    "classes": {
        "pump": {"sensors": [{"name": "pressure", "low": 0, "high": 40}, {"name": "current"}]},
        "fan.v2": {"sensors": [{"name": "speed"}]},
    },
    "assets": {
        "p-1": {"class": "pump", "tags": {"pressure": "PT-1.PV", "current": "IT-1.PV"}},
        "p-2": {"class": "pump", "tags": {"pressure": "PT-2.PV"}},
        "f-1": {"class": "fan.v2"},
    },
    "kafka": {"bootstrap": "broker:9092"},
    "serving": {"address": "models:8500"},
    "stream": {"flink": "http://127.0.0.1:9"},
}
