"""Reports the demo's anomalies and injected faults, one line each, while the plant is live."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from eugenie_cli.broker import consume
from eugenie_cli.demo.judge import NAMED
from eugenie_cli.demo.plant.faults import Fault
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site

SHOWN_STATES = ("open", "closed")  # updates are for dashboards


class AnomalyTail:
    """A thread that reports each anomaly when it opens and when it closes. Use it as a context manager."""

    def __init__(self, site: Site, progress: Progress) -> None:
        self._site = site
        self._progress = progress
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="anomaly-tail", daemon=True)

    def __enter__(self) -> AnomalyTail:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        topic = str(self._site.topics.anomalies)
        try:
            for record in consume.read(self._site.kafka_access, topic, since_ms=0, follow=True, stop=self._done.is_set):
                if record.value is not None:
                    self._say(json.loads(record.value))
        except EugenieError as error:
            # the judge reads the topic again at the end, so this failure costs lines, not results
            self._progress.say(f"  the live view of anomalies ended: {error.reason}")

    def _say(self, anomaly: Mapping[str, Any]) -> None:
        if anomaly["state"] in SHOWN_STATES:
            self._progress.say(anomaly_line(anomaly))


class Announcer:
    """Reports each fault when the plant's clock reaches its onset and its repair."""

    def __init__(self, faults: Sequence[Fault], progress: Progress) -> None:
        events = [(fault.onset, f"injecting {fault.kind} at {fault.asset}") for fault in faults]
        events += [(fault.end, f"repaired  {fault.kind} at {fault.asset}") for fault in faults]
        self._events = sorted(events)
        self._progress = progress

    def tell(self, plant_now_ms: int) -> None:
        """Reports the events that are due."""
        while self._events and self._events[0][0] <= plant_now_ms:
            at, what = self._events.pop(0)
            self._progress.say(f"  {clock(at)}  {what}")


def clock(ms: int) -> str:
    """Hours and minutes of plant time."""
    return f"{datetime.fromtimestamp(ms / 1_000, timezone.utc):%H:%M}"


def anomaly_line(anomaly: Mapping[str, Any]) -> str:
    """One anomaly in one line: time, asset, strength, and the first sensors with their shares."""
    shares = ", ".join(f"{sensor['sensor']} {sensor['contribution']:.0%}" for sensor in anomaly["sensors"][:NAMED])
    if anomaly["state"] == "closed":
        text = f"closed   {anomaly['asset']}  {anomaly['reason']}, peak {anomaly['peak']:.1f}"
        return f"  {str(anomaly['end'])[11:16]}  {text}"
    text = f"ANOMALY  {anomaly['asset']}  score {anomaly['score']:.1f} ({anomaly['severity']}): {shares}"
    return f"  {anomaly['detected'][11:16]}  {text}"
