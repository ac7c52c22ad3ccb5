"""Counts the values of each field of each series, and finds the first and the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from eugenie_cli.readings.routing import Router
from eugenie_cli.sources.influxdb.points import Series
from eugenie_cli.sources.influxdb.query import MS, aggregate
from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.windows.browsing import Browsed, matches, sensor_of

Query = Callable[[str], Iterable[Series]]
"""InfluxQL -> the series of its answer."""


def browse_series(
    source: InfluxSettings, fields: Sequence[tuple[str, str]], query: Query, router: Router, pattern: str | None
) -> Iterator[Browsed]:
    """One for each field of each series. `fields`: (measurement, field)."""
    mapping = source.readings.model_dump(mode="json")
    for measurement, name in fields:
        found: dict[str, tuple[Mapping[str, str], dict[str, int]]] = {}
        for what in ("count", "first", "last"):
            for series in query(aggregate(source, measurement, name, what)):
                shown = shown_series(measurement, name, series.tags)
                if not series.values or not matches(pattern, shown):
                    continue
                at, value = series.values[0][:2]
                _, known = found.setdefault(shown, (series.tags, {}))
                known[what] = int(value) if what == "count" else int(at) // MS
        for shown, (tags, known) in found.items():
            sensor = series_sensor(source, mapping, router, {**tags, "measurement": measurement, "field": name})
            yield Browsed(shown, sensor, None, known.get("count"), known.get("first"), known.get("last"))


def series_sensor(
    source: InfluxSettings, mapping: Mapping[str, Any], router: Router, record: Mapping[str, str]
) -> str | None:
    """The sensor to which a field of a series leads, as far as names decide it; of a wide mapping the field names it.

    `record`: `measurement`, `field` and the series' tags.
    """
    asset, sensor, tag = (_named(mapping.get(part), record) for part in ("asset", "sensor", "tag"))
    if mapping["shape"] == "wide":
        return sensor_of(router, asset, None, record["field"])
    value = (mapping.get("value") or {}).get("path")
    if source.records == "point" and record["field"] not in (value if isinstance(value, list) else [value]):
        return None
    return sensor_of(router, asset, sensor, tag)


def _named(part: Mapping[str, Any] | None, record: Mapping[str, str]) -> str | None:
    path = (part or {}).get("path")
    return record.get(path) if isinstance(path, str) else (part or {}).get("const")


def shown_series(measurement: str, name: str, tags: Mapping[str, str]) -> str:
    """`pumps flow unit=pump-1`."""
    return " ".join([measurement, name, *(f"{tag}={value}" for tag, value in sorted(tags.items()) if value)])
