"""The job's specification: the site reduced to plain data, sent to Flink as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eugenie_cli.tfserving.credentials import Credentials

AT = "@"
"""Between a site's name and an instance's id. No name in a site file contains it."""


def consumer_group(site: str, instance: str = "") -> str:
    """The consumer group under which the site's jobs of one workspace commit their offsets, and the beginning of the
    names of their transactions. `instance`: the workspace's id; empty in workspaces older than ids.
    """
    return f"eugenie.{site}{AT if instance else ''}{instance}"


@dataclass(frozen=True)
class ClassSpec:
    """An equipment class as the stream needs it. Times in milliseconds, delays in rows."""

    name: str
    sensors: tuple[str, ...]
    units: tuple[str, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    step_ms: int
    max_gap_ms: int
    window: int
    on_delay: int | None
    """None, like the off-delay: that of the model version."""
    off_delay: int | None
    cooldown: int
    silence_ms: int
    model: str


@dataclass(frozen=True)
class AssetSpec:
    """An asset and its tags: sensor -> the plant's tag where they differ."""

    name: str
    class_name: str
    tags: dict[str, str]


@dataclass(frozen=True)
class KafkaSpec:
    """Topics, and the connection as properties of the Java client. May contain secrets: the file is private."""

    readings: str
    anomalies: str
    scores: str
    dead_letters: str
    properties: dict[str, str]
    transaction_timeout_ms: int = 900_000
    """After this long the brokers abort what a dead job left open. The default is the most that they allow by default.
    """


@dataclass(frozen=True)
class JobSpec:
    """Everything that the job needs to know."""

    site: str
    timezone: str
    mapping: dict[str, Any]
    classes: tuple[ClassSpec, ...]
    assets: tuple[AssetSpec, ...]
    kafka: KafkaSpec
    model_server: str
    parallelism: int
    out_of_orderness_ms: int
    idle_timeout_ms: int
    """How long a partition may be silent and still keep silent assets waiting."""
    max_ahead_ms: int
    checkpoint_ms: int
    delivery: str
    model_server_tls: Credentials | None = None
    """None: the model server uses no TLS, or is reached over a Unix socket. Paths are those of the workers."""
    start: str = "auto"
    """auto | earliest | latest | timestamp: where reading begins without a savepoint."""
    start_ms: int | None = None
    """For `timestamp`: ms since 1970 UTC, compared with the records' Kafka timestamps."""
    start_offsets: dict[str, int] = field(default_factory=dict)
    """Partition -> offset that `start` meant when the job was submitted. Empty: Flink resolves `start`."""
    made_until: dict[str, int] = field(default_factory=dict)
    """Asset -> ms since 1970 UTC: the last row that the former, drained job made."""
    reset_assets: tuple[str, ...] = ()
    """Assets whose state is dropped when the job resumes, once."""
    reset_ms: int = 0
    """When that was requested, ms since 1970 UTC: it identifies the reset."""
    partitions: int = 1
    """Partitions of the readings topic when the job was submitted."""
    anomaly_partitions: int = 1
    """Partitions of the anomalies topic when the job was submitted."""
    shards: int = 8
    """Groups of whole assets, the unit of keyed state. Fixed for a site, so that a job can be rescaled."""
    checkpoints: str | None = None
    """URI of a directory; None: that of the cluster."""
    state: str = "hashmap"
    in_flight: int = 8
    unknown: str = "count"
    """count | ignore: whether readings of tags that the site does not have get dead letters, or only a metric."""
    instance: str = ""
    """The id of the workspace from which the job was submitted; empty in workspaces older than ids."""
    silent_plant_ms: int = 300_000
    """Wall-clock time without a row from any asset of a shard after which its open anomalies are closed."""

    @property
    def group(self) -> str:
        """The job's consumer group, and the beginning of the names of its transactions."""
        return consumer_group(self.site, self.instance)

    @property
    def exactly_once(self) -> bool:
        """Whether a result appears exactly once, after its checkpoint has completed."""
        return self.delivery == "exactly-once"

    @property
    def gather_ms(self) -> int:
        """How long messages are gathered before they are decoded together: larger batches cost less but wait longer.

        With exactly-once a result waits for its checkpoint anyway, so 0.2 s adds no delay.
        """
        return 200 if self.exactly_once else 20

    @property
    def bundle_ms(self) -> int:
        """How long an element waits at most in another Python operator: the same trade-off."""
        return 200 if self.exactly_once else 5

    def save(self, path: Path) -> None:
        """Write as JSON, readable only by the owner."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> JobSpec:
        """Read what `save` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        data["classes"] = tuple(_class_spec(entry) for entry in data["classes"])
        data["assets"] = tuple(AssetSpec(**entry) for entry in data["assets"])
        data["reset_assets"] = tuple(data.get("reset_assets", ()))
        data["kafka"] = KafkaSpec(**data["kafka"])
        if data.get("model_server_tls") is not None:
            data["model_server_tls"] = Credentials(**data["model_server_tls"])
        return JobSpec(**data)


def _class_spec(data: dict[str, Any]) -> ClassSpec:
    settings: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return ClassSpec(**settings)
