"""The JSON records that the stream writes: anomalies, scores and dead letters. Pure functions.

Instants are ISO 8601 in UTC with milliseconds and `Z`. Numbers are rounded to their meaningful digits, so that records
are short and the same wherever they are written.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from eugenie_cli.episodes.severity import severity
from eugenie_cli.episodes.state_machine import Event

__all__ = [
    "ScoreFormatter",
    "anomaly_id",
    "anomaly_record",
    "dead_letter",
    "delayed",
    "dumps",
    "iso",
    "score_record",
    "severity",
]

ANOMALY_SCHEMA = "eugenie.anomaly.v1"
SCORE_SCHEMA = "eugenie.score.v1"
DEAD_LETTER_SCHEMA = "eugenie.deadletter.v1"

ID_DIGITS = 16
"""Hex digits of an anomaly's id. 64 bits: among a billion anomalies, the probability of a collision is 3 %."""
TOP_SENSORS = 5
"""Sensors that an anomaly record lists: as many as a person reads."""
SCORE_DECIMALS = 6
"""Scores are relative to a threshold of 1 and exact to float32; six decimals are enough for every decision."""
CONTRIBUTION_DECIMALS = 4
VALUE_DIGITS = 7
"""Significant digits of a float32."""
PAYLOAD_LIMIT = 65_536
"""Characters of a payload kept in a dead letter: even escaped they fit Kafka's default limit of 1 MB."""
DETAIL_LIMIT = 1_000
"""Characters of a detail, which may quote the message."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    # rows of many assets share their seconds, so most calls are answered from the cache
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def iso(ms: int) -> str:
    """`ms` since 1970 UTC as `2026-01-31T12:00:00.250Z`.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    second, milli = divmod(int(ms), 1000)
    return f"{_iso_second(second)}.{milli:03d}Z"


def anomaly_id(site: str, asset: str, class_name: str, start_ms: int) -> str:
    """The id of an anomaly. Deterministic, so that repeated records have the same id."""
    text = "\x1f".join((site, asset, class_name, str(int(start_ms))))
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def anomaly_record(
    site: str, asset: str, class_name: str, sensors: Sequence[tuple[str, str]], event: Event, model_name: str
) -> dict[str, Any]:
    """The record of an event. `sensors`: (name, unit) in row order; the record lists the strongest first.

    Records of rows whose readings arrived much later than usual are `delayed`.
    """
    order = sorted(range(len(sensors)), key=lambda index: -event.contribution[index])[:TOP_SENSORS]
    return {
        "schema": ANOMALY_SCHEMA,
        "id": anomaly_id(site, asset, class_name, event.start),
        "site": site,
        "asset": asset,
        "class": class_name,
        "state": event.kind,
        "start": iso(event.start),
        "detected": iso(event.detected),
        "end": None if event.end is None else iso(event.end),
        "reason": event.reason,
        "score": _score(event.score),
        "peak": _score(event.peak),
        "severity": severity(event.peak),
        "sensors": [
            {
                "sensor": sensors[index][0],
                "contribution": round(event.contribution[index], CONTRIBUTION_DECIMALS),
                "value": _value(event.values[index]),
                "forecast": _value(event.expected[index]),
                "unit": sensors[index][1],
            }
            for index in order
        ],
        "model": {"name": model_name, "version": event.version},
    }


def score_record(
    site: str,
    asset: str,
    class_name: str,
    ts_ms: int,
    score: float,
    readings: int,
    bad_quality: int,
    model_name: str,
    version: int | None,
) -> dict[str, Any]:
    """The record of a row. A NaN score becomes null. `version` None: no model scored the row, and `model` is null."""
    return {
        "schema": SCORE_SCHEMA,
        "site": site,
        "asset": asset,
        "class": class_name,
        "ts": iso(ts_ms),
        "score": _score(score),
        "readings": readings,
        "bad_quality": bad_quality,
        "model": None if version is None else {"name": model_name, "version": version},
    }


class ScoreFormatter:
    """`dumps(score_record(...))` for one class, several times faster: the stream writes a record for every row."""

    def __init__(self, site: str, class_name: str, model_name: str) -> None:
        self._head = f'{{"schema":"{SCORE_SCHEMA}","site":{_text(site)},"asset":'
        self._class = f',"class":{_text(class_name)},"ts":"'
        self._model = f',"model":{{"name":{_text(model_name)},"version":'
        self._assets: dict[str, str] = {}

    def __call__(
        self, asset: str, ts_ms: int, score: float, readings: int, bad_quality: int, version: int | None
    ) -> bytes:
        head = self._assets.get(asset)
        if head is None:
            head = self._assets[asset] = self._head + _text(asset) + self._class
        number = "null" if not math.isfinite(score) else repr(round(float(score), SCORE_DECIMALS))
        model = ',"model":null}' if version is None else f"{self._model}{version}}}}}"
        counts = f'"readings":{readings},"bad_quality":{bad_quality}'
        return f'{head}{iso(ts_ms)}","score":{number},{counts}{model}'.encode()


def delayed(record: str) -> str:
    """A record (JSON) of a row whose readings arrived much later than usual."""
    return f'{record[:-1]},"delayed":true}}'


def dead_letter(
    reason: str,
    detail: str,
    payload: str | bytes | None,
    topic: str | None = None,
    partition: int | None = None,
    offset: int | None = None,
) -> dict[str, Any]:
    """The record of a rejected message, or of a rejected reading in it.

    Bytes that are not UTF-8 become `\\xNN`. A payload that is too large for a message is cut, and `detail` says so.
    """
    if len(detail) > DETAIL_LIMIT:
        detail = f"{detail[:DETAIL_LIMIT]}…"
    text = payload.decode("utf-8", "backslashreplace") if isinstance(payload, bytes) else payload
    if text is not None and len(text) > PAYLOAD_LIMIT:
        detail = f"{detail} (payload cut: {len(text)} characters)".strip()
        text = text[:PAYLOAD_LIMIT]
    return {
        "schema": DEAD_LETTER_SCHEMA,
        "reason": reason,
        "detail": detail,
        "payload": text,
        "topic": topic,
        "partition": partition,
        "offset": offset,
    }


def dumps(record: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON.

    Raises:
        ValueError: the record holds NaN or infinity.
    """
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")  # lone surrogates, which UTF-8 cannot hold


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _score(score: float) -> float | None:
    return round(float(score), SCORE_DECIMALS) if math.isfinite(score) else None


def _value(value: float) -> float | None:
    return float(f"{value:.{VALUE_DIGITS}g}") if math.isfinite(value) else None
