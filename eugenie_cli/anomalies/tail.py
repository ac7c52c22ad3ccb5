"""Follows and lists a site's anomalies.

The last record of an anomaly counts. Its records are in one partition, in order, unless partitions were added to the
topic while it was open: then the one that arrived last counts. Keys are ignored: earlier releases used asset names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from eugenie_cli.anomalies.record import Anomaly, parse_record
from eugenie_cli.anomalies.view import Seen, View, by_start
from eugenie_cli.broker import consume
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.field_types import localize, parse_duration, parse_instant, to_ms, zone
from eugenie_cli.site.schema import Site

PARTITIONS_REMEMBERED = 100_000
"""The number of latest anomalies whose partition is remembered: a tail may run for weeks."""


@dataclass(frozen=True)
class Arrival:
    """A record of the anomalies topic: parsed, as JSON, and as unchanged text."""

    anomaly: Anomaly
    record: dict[str, Any]
    text: str
    arrived_ms: int


def since_ms(text: str, now_ms: int, site: Site) -> int:
    """Parse `--since`: a duration before now (`90s`, `1h`) or an instant (ISO 8601, by default local to the site).

    Raises EugenieError (exit code 2) for anything else.
    """
    try:
        return now_ms - parse_duration(text)
    except ValueError:
        pass
    try:
        time_zone = zone(site.timezone)
        instant = parse_instant(text)
        return to_ms(instant if time_zone is None else localize(instant, time_zone))
    except ValueError as error:
        hint = "use a duration such as 90s, 10m, 1h or 2d, or an instant such as 2026-01-03T06:00:00Z"
        raise EugenieError(f"--since {text}: {error}", hint, ExitCode.USAGE) from None


def tail(
    site: Site,
    *,
    since: int | None = None,
    assets: Collection[str] = (),
    stop: Callable[[], bool] | None = None,
    progress: Progress = SILENT,
) -> Iterator[Arrival]:
    """Follow the anomalies of a site indefinitely, or until `stop`.

    since:  ms since 1970 UTC: all records that arrived from then on; None: from now on. In both cases, the latest
            record of each anomaly that was open at that time comes first.
    assets: only these; empty: all.

    Records are in order for each asset. Raises EugenieError for an unknown asset or unreachable brokers.
    """
    site.assets_named(assets)
    still_open: dict[str, Arrival] = {}
    live = False
    for arrival in _arrivals(site, assets, progress, since_ms=0, stop=stop):
        if arrival is None:
            live = True
            yield from still_open.values()
            still_open.clear()
            continue
        earlier = still_open.pop(arrival.anomaly.id, None)
        if live or (since is not None and arrival.arrived_ms >= since):
            if earlier is not None:
                yield earlier
            yield arrival
        elif arrival.anomaly.is_open:
            still_open[arrival.anomaly.id] = arrival


def list_anomalies(
    site: Site, *, since: int | None = None, assets: Collection[str] = (), progress: Progress = SILENT
) -> list[tuple[Seen, dict[str, Any]]]:
    """The latest state and record of each anomaly, ordered by start, up to the topic's current end.

    since: only anomalies with a record that arrived from then on, ms since 1970 UTC.
    """
    site.assets_named(assets)
    view = View(closed_kept=None)
    records: dict[str, dict[str, Any]] = {}
    for arrival in _arrivals(site, assets, progress, since_ms=since or 0, until_end=True):
        if arrival is None:
            continue
        view.fold(arrival.anomaly, arrival.arrived_ms)
        records[arrival.anomaly.id] = arrival.record
    return [(seen, records[seen.anomaly.id]) for seen in by_start(view.all())]


def _arrivals(site: Site, assets: Collection[str], progress: Progress, **read: Any) -> Iterator[Arrival | None]:
    """Records of the topic, with None where its current end is reached."""
    topic = str(site.topics.anomalies)
    newest: OrderedDict[str, tuple[int, int]] = OrderedDict()
    for record in consume.stream(site.kafka_access, topic, **read):
        if record is None:
            yield None
            continue
        parsed = parse_record(record.value)
        if parsed is None:
            progress.say(f"{topic}[{record.partition}]@{record.offset} is not an anomaly record: skipped")
            continue
        anomaly, fields = parsed
        if assets and anomaly.asset not in assets:
            continue
        partition, arrived = newest.get(anomaly.id, (record.partition, 0))
        if partition != record.partition and record.timestamp_ms < arrived:
            continue  # a later record from another partition was read earlier
        newest[anomaly.id] = record.partition, record.timestamp_ms
        newest.move_to_end(anomaly.id)
        if len(newest) > PARTITIONS_REMEMBERED:
            newest.popitem(last=False)
        yield Arrival(anomaly, fields, (record.value or b"").decode("utf-8"), record.timestamp_ms)
