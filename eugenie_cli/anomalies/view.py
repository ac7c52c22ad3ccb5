"""The current state of every anomaly, from its records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eugenie_cli.anomalies.record import Anomaly

_RANK = {"high": 3, "medium": 2, "low": 1}
# A tail may run for weeks: beyond this number, the oldest closed anomalies are forgotten.
CLOSED_KEPT = 200


@dataclass(frozen=True)
class Seen:
    """An anomaly and when its first and last records arrived, ms since 1970 UTC."""

    anomaly: Anomaly
    first_arrival_ms: int
    last_arrival_ms: int

    def lasts_ms(self, now_ms: int) -> int:
        """The duration. That of an open anomaly is in event time, which lags behind the clock in a replay."""
        if self.anomaly.end_ms is not None:
            return max(0, self.anomaly.end_ms - self.anomaly.start_ms)
        lag = self.first_arrival_ms - self.anomaly.detected_ms
        return max(0, now_ms - lag - self.anomaly.start_ms)


class View:
    """Anomalies by id. The last record of an id counts: Kafka keeps an asset's records in order."""

    def __init__(self, closed_kept: int | None = CLOSED_KEPT) -> None:
        self._seen: dict[str, Seen] = {}
        self._closed_kept = closed_kept

    def fold(self, anomaly: Anomaly, arrived_ms: int) -> Seen:
        """Add a record. Returns the anomaly's current state."""
        previous = self._seen.pop(anomaly.id, None)  # re-inserted last: the dict is ordered by last arrival
        first = previous.first_arrival_ms if previous is not None else arrived_ms
        seen = self._seen[anomaly.id] = Seen(anomaly, first, arrived_ms)
        if not anomaly.is_open and self._closed_kept is not None:
            for old in self.closed()[self._closed_kept :]:
                del self._seen[old.anomaly.id]
        return seen

    def all(self) -> list[Seen]:
        """All anomalies, by last arrival."""
        return list(self._seen.values())

    def open(self) -> list[Seen]:
        """Open anomalies: the most severe first, then the newest."""
        still_open = [seen for seen in self.all() if seen.anomaly.is_open]
        return sorted(still_open, key=lambda seen: (-_RANK.get(seen.anomaly.severity, 0), -seen.anomaly.start_ms))

    def closed(self, limit: int | None = None) -> list[Seen]:
        """Closed anomalies, the latest first."""
        return [seen for seen in reversed(self.all()) if not seen.anomaly.is_open][:limit]


def by_start(seen: Iterable[Seen]) -> list[Seen]:
    """Ordered by start, then asset: the same list in any order of partitions."""
    return sorted(seen, key=lambda entry: (entry.anomaly.start_ms, entry.anomaly.asset, entry.anomaly.id))
