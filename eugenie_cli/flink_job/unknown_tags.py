"""Unknown tags: one dead letter per tag and interval, with a count. Pure."""

from __future__ import annotations

import json

from eugenie_cli.episodes.records import dead_letter, dumps
from eugenie_cli.flink_job.decode import UnknownTag
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.sensor_index import Identity

MAX_NAMES = 1_000
"""Identities with their own letter per interval. Readings of further ones share a letter: a source that sends tens of
thousands of tags, or a new one with each reading, does not cause a letter for each. All readings are counted."""

REST: Identity = (None, None, None)
"""The identity for readings of further tags: no reading has it."""

DETAIL = "the site has no such asset, sensor or tag"
BEYOND = f"{DETAIL}: readings of names beyond the {MAX_NAMES:,} that are reported each time; this is the first of them"


class UnknownTags:
    """Counts readings of unknown tags until their letters are due."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.counts: dict[Identity, UnknownTag] = {}

    def add(self, counts: dict[Identity, UnknownTag]) -> list[tuple[str, bytes]]:
        """Add counts. Returns letters only if a restored state holds too many names: an earlier version kept more."""
        for identity, more in counts.items():
            name = identity if identity in self.counts or len(self.counts) < MAX_NAMES else REST
            before = self.counts.get(name)
            self.counts[name] = (
                more if before is None else UnknownTag(before.count + more.count, before.partition, before.offset)
            )
        return self.letters() if len(self.counts) > MAX_NAMES + 1 else []

    def letters(self) -> list[tuple[str, bytes]]:
        """(reason, dead letter) for everything counted. Resets the counts."""
        letters = []
        for (asset, sensor, tag), total in self.counts.items():
            names = {"asset": asset, "sensor": sensor, "tag": tag}
            named = {name: text for name, text in names.items() if text is not None}
            payload = json.dumps(named, ensure_ascii=False) if named else None
            detail = DETAIL if named else BEYOND
            letter = dead_letter(
                reject_reasons.UNKNOWN_TAG, detail, payload, self._topic, total.partition, total.offset
            )
            letters.append((reject_reasons.UNKNOWN_TAG, dumps({**letter, "count": total.count})))
        self.counts = {}
        return letters
