"""What differs between the job that runs, or ran last, and the site file: and whether its state can be taken over."""

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
"""The part of a shape that stands for the job's own program."""

_PUBLIC = ("bootstrap.servers", "security.protocol", "sasl.mechanism")
"""Of the Kafka connection: the other properties may hold secrets."""

_OF_ONE_SUBMISSION = ("start", "start_ms", "start_offsets", "made_until", "partitions", "anomaly_partitions")

_SECRET = re.compile("password|secret|token|credential|jaas|private", re.IGNORECASE)
"""Names of members that are never remembered, wherever they are."""

_OF_A_CLASS = ("sensors", "step_ms", "window")
"""Members of a class that its state is built on: the order of a window's columns, its step, its length."""

_WORDS = {
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
    "checkpoint_ms": "stream.checkpoint",
    "checkpoints": "stream.checkpoints",
    "state": STATE_BACKEND,
    "delivery": "stream.delivery",
}

SHOWN = 60
"""Characters of a value in an error."""


@dataclass(frozen=True)
class Change:
    """One difference. `what` is named as in the site file; None: not there. `compatible`: the state can be kept."""

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
    """A specification as it is remembered: all that decides what a job does, without secrets. Plain JSON.

    `code`: a digest of the job's program.
    """
    document = {key: value for key, value in asdict(spec).items() if key not in _OF_ONE_SUBMISSION}
    properties = {key: value for key, value in spec.kafka.properties.items() if key in _PUBLIC}
    document["kafka"] = {**document["kafka"], "properties": properties}
    document["classes"] = {one.pop("name"): one for one in document["classes"]}
    document["assets"] = {one.pop("name"): one for one in document["assets"]}
    return _without_secrets(json.loads(json.dumps({**document, CODE: code})))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every difference between two shapes, those that the state cannot outlive first."""
    found = [
        Change(_words(path), old, new, not _decides_state(path) or old is None or new is None)
        for path, old, new in _differences(before, after, ())
    ]
    return tuple(sorted(found, key=lambda change: change.compatible))


def _differences(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        if before != after:
            yield path, before, after
        return
    for key in dict.fromkeys((*before, *after)):
        yield from _differences(before.get(key), after.get(key), (*path, key))


def _decides_state(path: Sequence[str]) -> bool:
    section, *rest = path
    if section == "classes":
        return len(rest) > 1 and rest[1] in _OF_A_CLASS
    if section == "kafka":  # the topics: offsets, and transactions that are to be committed
        return rest[0] != "properties"
    return section in ("site", "shards")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items() if not _SECRET.search(key)}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return without_password(value) if isinstance(value, str) else value


def _words(path: Sequence[str]) -> str:
    section, *rest = path
    if section == "kafka" and rest[0] == "properties":
        return f"kafka: {rest[-1]}"
    if section == CODE:
        return "the job's program, of eugenie"
    return ".".join([_SECTIONS.get(section, section), *(_WORDS.get(one, one) for one in rest)])


def _shown(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
