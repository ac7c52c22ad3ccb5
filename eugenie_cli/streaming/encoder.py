"""Encodes readings as the messages that a site's gateway sends: the inverse of its `kafka.readings` mapping."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.readings.mapping import PARTS, WHOLE
from eugenie_cli.readings.number_units import of_instant
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading
from eugenie_cli.readings.routing import Router
from eugenie_cli.readings.timestamps import wall_ms, zone
from eugenie_cli.site.schema import Site


def router(site: Site) -> Router:
    """The router that resolves the names and tags in the site's messages."""
    return Router(
        {name: {"class": asset.class_name, "tags": dict(asset.tags)} for name, asset in site.assets.items()},
        {name: equipment.sensor_names for name, equipment in site.classes.items()},
        ignores_case=site.kafka.readings.case == "ignore",
    )


def refuse_record_parts(site: Site, mapping: Mapping[str, Any]) -> None:
    """Raise EugenieError (REFUSED) for a mapping with parts of the Kafka record, which a replay does not write."""
    parts = [name for name in PARTS if (part := mapping.get(name)) and (part.get("record") or part.get("header"))]
    if parts:
        raise EugenieError(
            f"{site.file}: kafka.readings takes {', '.join(parts)} from the Kafka record: a replay writes only"
            " payloads",
            "`eugenie stream replay --bounded` scores the history without Kafka",
            ExitCode.REFUSED,
        )


class Composer:
    """Writes readings as messages that the stream reads back as the same readings.

    Raises EugenieError (REFUSED) for a mapping that is not JSON, takes parts from the Kafka record or changes values
    and, at the first reading of a sensor, for one that cannot express it: a constant asset, a tag shared by several
    assets, a time format without milliseconds.
    """

    def __init__(self, site: Site) -> None:
        self._mapping: dict[str, Any] = site.kafka.readings.model_dump(mode="json")
        if self._mapping["format"] != "json":
            raise EugenieError(
                f"{site.file}: kafka.readings.format is {self._mapping['format']}: a replay writes only JSON",
                "`eugenie stream replay --bounded` scores without Kafka",
                ExitCode.REFUSED,
            )
        refuse_record_parts(site, self._mapping)
        for setting in _without_inverse(self._mapping):
            raise EugenieError(
                f"{site.file}: kafka.readings has {setting}: a replay cannot write messages that are read back"
                " unchanged",
                "`eugenie stream replay --bounded` scores the history without Kafka",
                ExitCode.REFUSED,
            )
        self._site = site
        self._ts: Mapping[str, Any] = self._mapping["ts"]
        self._zone = zone(self._ts.get("timezone") or site.timezone)
        self._read = compile_payload(self._mapping, site.timezone)
        self._router = router(site)
        self._checked: set[tuple[str, str]] = set()

    def __call__(self, asset: str, sensor: str, ts: int, value: float) -> bytes:
        """Encode one reading. `ts`: ms since 1970 UTC; `value`: NaN for bad quality."""
        record: dict[str, Any] = {}
        mapping = self._mapping
        _put(record, mapping["asset"], asset)
        _put(record, self._ts, self._instant(ts))
        number: Any = None if math.isnan(value) else value
        if number is not None and mapping["value"]["decimal"] != ".":
            number = repr(value).replace(".", mapping["value"]["decimal"])
        if mapping["shape"] == "wide":
            record[self._tag(asset, sensor)] = number
        else:
            by_name = mapping["sensor"] is not None and (mapping["asset"] is not None or mapping["tag"] is None)
            part = mapping["sensor"] if by_name else mapping["tag"]
            _put(record, part, sensor if by_name else self._tag(asset, sensor))
            _put(record, mapping["value"], number)
        payload = json.dumps(self._wrapped(record), ensure_ascii=False, separators=(",", ":")).encode()
        if (asset, sensor) not in self._checked:
            self._check(payload, asset, sensor, ts, value)
            self._checked.add((asset, sensor))
        return payload

    def _tag(self, asset: str, sensor: str) -> str:
        return self._site.assets[asset].tags.get(sensor) or sensor

    def _instant(self, ts: int) -> Any:
        if self._ts.get("format"):
            instant = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ts)
            return instant.astimezone(self._zone).strftime(self._ts["format"])
        unit = self._ts.get("unit") or "iso"
        if unit == "iso":
            return iso(ts)
        local = datetime.fromtimestamp(ts / 1000, self._zone).replace(tzinfo=None)
        return of_instant(ts, wall_ms(local), unit)

    def _wrapped(self, record: dict[str, Any]) -> Any:
        records = self._mapping.get("records")
        if records is None:
            return record
        if records == WHOLE:
            return [record]
        message: dict[str, Any] = {}
        _put(message, {"path": records}, [record])
        return message

    def _check(self, payload: bytes, asset: str, sensor: str, ts: int, value: float) -> None:
        outcomes = self._read(payload)
        reading = outcomes[0] if len(outcomes) == 1 else None
        expected = (asset, self._router.sensors_of(asset).index(sensor))
        if isinstance(reading, Reading) and self._router.route(reading.asset, reading.sensor, reading.tag) == expected:
            same_value = reading.value == value or (math.isnan(reading.value) and math.isnan(value))
            if reading.ts == ts and same_value:
                return
        raise EugenieError(
            f"{self._site.file}: kafka.readings cannot carry {sensor} of {asset}: {payload.decode()[:200]} would be"
            f" read as {outcomes}",
            "replay a file of the gateway's own messages, or score without Kafka: `eugenie stream replay --bounded`",
            ExitCode.REFUSED,
        )


def _without_inverse(mapping: Mapping[str, Any]) -> Iterator[str]:
    """Settings under which some readings have no message, although others of the same sensor have one."""
    value, ts = mapping["value"], mapping["ts"]
    yield from (f"value.{name}" for name in ("scale", "offset", "map", "bad", "strip", "units") if name in value)
    yield from (f"ts.{name}" for name in ("ambiguous", "start") if name in ts)


def _put(record: dict[str, Any], part: Mapping[str, Any] | None, value: Any) -> None:
    """Write `value` at the part's path. A constant or absent part needs no field."""
    path = part.get("path") if part else None
    if not path:
        return
    *outer, last = path.split(".")
    for name in outer:
        record = record.setdefault(name, {})
    record[last] = value
