"""Tags that the site does not have: a dead letter for each and interval, with a count. Pure."""

from __future__ import annotations

import json

from eugenie_cli.episodes.records import dead_letter, dumps
from eugenie_cli.flink_job.decode import UnknownTag
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.sensor_index import Identity

MOST = 1_000
"""Identities that are named at once. The readings of further ones share a letter: whoever sends tags by the ten
thousand, or another one with each reading, gets no letter for each of them. All are counted."""

REST: Identity = (None, None, None)
"""The identity of those: no reading has it."""

DETAIL = "the site has no such asset, sensor or tag"
BEYOND = f"{DETAIL}: readings of names beyond the {MOST:,} that are written each time; the first of them is here"


class UnknownTags:
    """Counts readings that lead nowhere until their letters are due."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.counts: dict[Identity, UnknownTag] = {}

    def add(self, found: dict[Identity, UnknownTag]) -> list[tuple[str, bytes]]:
        """Count more. Returns letters only of a state with more names than fit: an earlier version kept more."""
        for identity, more in found.items():
            name = identity if identity in self.counts or len(self.counts) < MOST else REST
            before = self.counts.get(name)
            self.counts[name] = (
                more if before is None else UnknownTag(before.count + more.count, before.partition, before.offset)
            )
        return self.letters() if len(self.counts) > MOST + 1 else []

    def letters(self) -> list[tuple[str, bytes]]:
        """(reason, dead letter) of everything that was counted; the counts begin anew."""
        written = []
        for (asset, sensor, tag), one in self.counts.items():
            names = {"asset": asset, "sensor": sensor, "tag": tag}
            named = {name: text for name, text in names.items() if text is not None}
            payload = json.dumps(named, ensure_ascii=False) if named else None
            detail = DETAIL if named else BEYOND
            letter = dead_letter(reject_reasons.UNKNOWN_TAG, detail, payload, self._topic, one.partition, one.offset)
            written.append((reject_reasons.UNKNOWN_TAG, dumps({**letter, "count": one.count})))
        self.counts = {}
        return written
