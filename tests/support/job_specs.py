"""Job specifications for tests of the Flink job."""

from __future__ import annotations

from eugenie_cli.flink_job.spec import AssetSpec, ClassSpec, JobSpec, KafkaSpec


def class_spec(name: str = "pump", **changes: object) -> ClassSpec:
    settings: dict = {
        "name": name,
        "sensors": ("a", "b"),
        "units": ("bar", "A"),
        "low": (None, None),
        "high": (None, None),
        "step_ms": 1_000,
        "max_gap_ms": 3_000,
        "window": 4,
        "on_delay": 2,
        "off_delay": 2,
        "cooldown": 0,
        "silence_ms": 5_000,
        "model": name,
    }
    return ClassSpec(**{**settings, **changes})


def build_spec(classes: tuple[ClassSpec, ...] = (), assets: dict[str, str] | None = None, **others: object) -> JobSpec:
    """A specification: `build_spec(classes=(...), assets={name: class}, **others)`."""
    settings: dict = {
        "site": "plant",
        "timezone": "UTC",
        "mapping": {
            "format": "json",
            "shape": "long",
            "ts": {"path": "ts"},
            "asset": {"path": "asset"},
            "sensor": {"path": "sensor"},
            "tag": {"path": "tag"},
            "value": {"path": "value"},
            "quality": {"path": "quality"},
        },
        "classes": classes or (class_spec(),),
        "assets": tuple(AssetSpec(name, kind, {}) for name, kind in (assets or {"p1": "pump", "p2": "pump"}).items()),
        "kafka": KafkaSpec("readings", "anomalies", "scores", "dead", {"bootstrap.servers": "127.0.0.1:1"}),
        "model_server": "127.0.0.1:1",
        "parallelism": 1,
        "out_of_orderness_ms": 2_000,
        "idle_timeout_ms": 10_000,
        "max_ahead_ms": 3_600_000,
        "checkpoint_ms": 1_000,
        "delivery": "exactly-once",
    }
    return JobSpec(**{**settings, **others})
