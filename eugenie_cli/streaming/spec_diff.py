"""Differences between the running or last job and the site file, and whether the job's state survives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.site.secrets import without_password

STATE_BACKEND = "stream.state"

CODE = "eugenie"
"""The key of a shape that holds the digest of the job's program."""

TRANSACTION_TIMEOUT = "transaction_timeout_ms"

_PUBLIC = ("bootstrap.servers", "security.protocol", "sasl.mechanism")
"""Properties of the Kafka connection that hold no secrets; others may."""

_OF_ONE_SUBMISSION = (
    "start",
    "start_ms",
    "start_offsets",
    "made_until",
    "reset_assets",
    "reset_ms",
    "partitions",
    "anomaly_partitions",
    "instance",
)

_SECRET = re.compile("password|secret|token|credential|jaas|private", re.IGNORECASE)
"""Names of keys that are never stored, at any depth."""

_OF_A_CLASS = ("sensors", "step_ms", "window")
"""Fields of a class that its state depends on: the order of a window's columns, its step, its length."""

_FIELDS = {
    "step_ms": "step",
    "max_gap_ms": "max_gap",
    "silence_ms": "alarm.silence",
    "window": "model.window",
    "on_delay": "alarm.on_delay",
    "off_delay": "alarm.off_delay",
    "cooldown": "alarm.cooldown",
    "class_name": "class",
}
_SECTIONS = {
    "kafka": "kafka.topics",
    "mapping": "kafka.readings",
    "model_server": "the model server's address",
    "model_server_tls": "serving.tls",
    "parallelism": "stream.parallelism",
    "out_of_orderness_ms": "stream.out_of_orderness",
    "idle_timeout_ms": "stream.idle_timeout",
    "max_ahead_ms": "stream.max_ahead",
    "unknown": "stream.unknown",
    "checkpoint_ms": "stream.checkpoint",
    "checkpoints": "stream.checkpoints",
    "state": STATE_BACKEND,
    "delivery": "stream.delivery",
}

SHOWN = 60
"""Characters of a value that an error shows."""


@dataclass(frozen=True)
class Change:
    """One difference. `what`: its name in the site file; None: absent. `compatible`: whether the state can be kept."""

    what: str
    before: Any
    after: Any
    compatible: bool

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.what}: new"
        if self.after is None:
            return f"{self.what}: removed"
        return f"{self.what}: {_shown(self.before)} -> {_shown(self.after)}"


def shape_of(spec: JobSpec, code: str = "") -> dict[str, Any]:
    """A specification as it is stored: everything that determines what a job does, without secrets. Plain JSON.

    `code`: a digest of the job's program.
    """
    document = {key: value for key, value in asdict(spec).items() if key not in _OF_ONE_SUBMISSION}
    properties = {key: value for key, value in spec.kafka.properties.items() if key in _PUBLIC}
    document["kafka"] = {**document["kafka"], "properties": properties}
    document["classes"] = {entry.pop("name"): entry for entry in document["classes"]}
    document["assets"] = {entry.pop("name"): entry for entry in document["assets"]}
    return _without_secrets(json.loads(json.dumps({**document, CODE: code})))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """All differences between two shapes; those that invalidate the state come first."""
    differences = [
        Change(_name(path), old, new, not _invalidates_state(path) or old is None or new is None)
        for path, old, new in _differences(before, after, ())
    ]
    return tuple(sorted(differences, key=lambda change: change.compatible))


def _differences(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        if before != after:
            yield path, before, after
        return
    for key in dict.fromkeys((*before, *after)):
        yield from _differences(before.get(key), after.get(key), (*path, key))


def _invalidates_state(path: Sequence[str]) -> bool:
    section, *rest = path
    if section == "classes":
        return len(rest) > 1 and rest[1] in _OF_A_CLASS
    if section == "kafka":  # the topics: offsets, and transactions still to be committed
        return rest[0] not in ("properties", TRANSACTION_TIMEOUT)
    return section in ("site", "shards")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items() if not _SECRET.search(key)}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return without_password(value) if isinstance(value, str) else value


def _name(path: Sequence[str]) -> str:
    section, *rest = path
    if section == "kafka" and rest[0] == "properties":
        return f"kafka: {rest[-1]}"
    if section == "kafka" and rest[0] == TRANSACTION_TIMEOUT:
        return "the brokers' transaction.max.timeout.ms"
    if section == CODE:
        return "the job's program (eugenie)"
    return ".".join([_SECTIONS.get(section, section), *(_FIELDS.get(name, name) for name in rest)])


def _shown(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
