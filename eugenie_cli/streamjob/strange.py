"""Tags that the site does not have: a dead letter for each and interval, with a count. Pure."""

from __future__ import annotations

import json

from eugenie_cli.episodes.records import dead_letter, dumps
from eugenie_cli.readings import reasons
from eugenie_cli.readings.columnar.places import Identity
from eugenie_cli.streamjob.decode import Strange

MOST = 10_000
"""Identities that are counted at once. Beyond it letters are written before the interval is over: nothing is lost."""

DETAIL = "the site has no such asset, sensor or tag"


class StrangeTags:
    """Counts readings that lead nowhere until their letters are due."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.counts: dict[Identity, Strange] = {}

    def add(self, found: dict[Identity, Strange]) -> list[tuple[str, bytes]]:
        """Count more. Returns letters only when there are too many to count."""
        for identity, more in found.items():
            before = self.counts.get(identity)
            self.counts[identity] = (
                more if before is None else Strange(before.count + more.count, before.partition, before.offset)
            )
        return self.letters() if len(self.counts) > MOST else []

    def letters(self) -> list[tuple[str, bytes]]:
        """(reason, dead letter) of everything that was counted; the counts begin anew."""
        written = []
        for (asset, sensor, tag), one in self.counts.items():
            names = {"asset": asset, "sensor": sensor, "tag": tag}
            payload = json.dumps({name: text for name, text in names.items() if text is not None}, ensure_ascii=False)
            letter = dead_letter(reasons.UNKNOWN_TAG, DETAIL, payload, self._topic, one.partition, one.offset)
            written.append((reasons.UNKNOWN_TAG, dumps({**letter, "count": one.count})))
        self.counts = {}
        return written
