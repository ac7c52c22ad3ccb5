"""Unknown tags: one dead letter per tag and interval, with a count; if there are many, one per common prefix. Pure.

A broker may carry the tags of a whole company. Whatever is sent, memory and the number of letters are bounded, and
every reading is counted in exactly one letter.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.episodes.records import dead_letter, dumps
from eugenie_cli.flink_job.name_groups import SEPARATOR, grouped
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.sensor_index import Identity

COUNT, IGNORE = "count", "ignore"
"""What the site does with unknown tags: dead letters with counts, or only a metric."""

NAMED = 50
"""Tags per interval of which each has its own letter: as many as a person corrects in a site file."""
READINGS_PER_LETTER = 20
"""With more tags than `NAMED`, letters are at most this fraction of the readings..."""
FEWEST_LETTERS, MOST_LETTERS = 10, 200
"""... within these limits: some detail for a few readings, and 20 letters a second however many there are."""
KEPT = 2 * MOST_LETTERS
"""Tags and prefixes counted at once. Beyond it they are grouped down to `MOST_LETTERS`."""

NAME_LIMIT = 1_000
"""Characters of a part of an address that are kept: a message of 1 MB may consist of its name."""
SKETCH = 512
"""Hashes kept per group to count its tags: exact up to this number, within 5 % (standard error) beyond."""

REST: Identity = (None, None, None)
"""In the state of earlier releases: readings of further tags. No reading has this identity."""

DETAIL = "the site has no such asset, sensor or tag"


@dataclass(frozen=True)
class UnknownTag:
    """Readings of one tag, or of a group: their number, and the partition and offset of the first."""

    count: int
    partition: int
    offset: int
    hashes: bytes = b""
    """Of a group: the smallest hashes of its tags, distinct uint32 in ascending order."""


Key = Identity | str
"""A tag, or the prefix of a group (of `_text`)."""


def summarise(
    identities: Sequence[Identity], count: NDArray[np.int64], partition: NDArray[np.int64], offset: NDArray[np.int64]
) -> dict[Key, UnknownTag]:
    """N different unknown tags of a batch, in order of arrival, grouped if they are many. Arrays, of readings: [N]."""
    if len(identities) > MOST_LETTERS:
        return _grouped(identities, (count, partition, offset), {}, MOST_LETTERS)
    columns = zip(identities, count.tolist(), partition.tolist(), offset.tolist(), strict=True)
    return _summed((_cut(identity), UnknownTag(*numbers)) for identity, *numbers in columns)


def total(count: NDArray[np.int64], partition: NDArray[np.int64], offset: NDArray[np.int64]) -> dict[Key, UnknownTag]:
    """Like `summarise`, without names: one group. Arrays: [N], N >= 1."""
    return {"": UnknownTag(int(count.sum()), int(partition[0]), int(offset[0]))}


class UnknownTags:
    """Counts readings of unknown tags until their letters are due."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.counts: dict[Key, UnknownTag] = {}

    def add(self, counts: dict[Key, UnknownTag]) -> None:
        """Add what `summarise` returned."""
        self.counts = _summed((*self.counts.items(), *counts.items()))
        if len(self.counts) > KEPT:
            self._group(MOST_LETTERS)

    def letters(self) -> list[tuple[str, bytes]]:
        """(reason, dead letter) for everything counted. Resets the counts."""
        if len(self.counts) > NAMED:
            readings = sum(entry.count for entry in self.counts.values())
            self._group(min(max(readings // READINGS_PER_LETTER, FEWEST_LETTERS), MOST_LETTERS))
        letters = [(reject_reasons.UNKNOWN_TAG, self._letter(key, entry)) for key, entry in self.counts.items()]
        self.counts = {}
        return letters

    def _group(self, limit: int) -> None:
        entries = list(self.counts.values())
        numbers = np.array([(entry.count, entry.partition, entry.offset) for entry in entries], np.int64).T
        sketches = {index: entry.hashes for index, entry in enumerate(entries) if entry.hashes}
        self.counts = _grouped(list(self.counts), tuple(numbers), sketches, limit)

    def _letter(self, key: Key, entry: UnknownTag) -> bytes:
        if isinstance(key, str):
            names, detail, more = _pattern(key), *_of_group(entry.hashes)
        else:
            names, detail, more = dict(zip(("asset", "sensor", "tag"), key, strict=True)), DETAIL, {}
        named = {name: text for name, text in names.items() if text is not None}
        payload = json.dumps(named, ensure_ascii=False) if named else None
        letter = dead_letter(reject_reasons.UNKNOWN_TAG, detail, payload, self._topic, entry.partition, entry.offset)
        return dumps({**letter, "count": entry.count, **more})


def _summed(entries: Iterable[tuple[Key, UnknownTag]]) -> dict[Key, UnknownTag]:
    """Entries of the same key added; the position is that of the first."""
    counts: dict[Key, UnknownTag] = {}
    for key, entry in entries:
        key = "" if key == REST else key
        before = counts.get(key)
        if before is None:
            counts[key] = entry
            continue
        hashes = entry.hashes or before.hashes
        if entry.hashes and before.hashes:
            hashes = _smallest(np.frombuffer(before.hashes + entry.hashes, np.uint32))
        counts[key] = replace(before, count=before.count + entry.count, hashes=hashes)
    return counts


def _grouped(
    keys: Sequence[Key], numbers: Sequence[NDArray[np.int64]], sketches: dict[int, bytes], limit: int
) -> dict[Key, UnknownTag]:
    """N tags and groups, in order of arrival, as at most `limit`. `numbers`: count, partition, offset [N];
    `sketches`: the hashes of those that are groups.
    """
    count, partition, offset = numbers
    texts = [key if isinstance(key, str) else _text(key) for key in keys]
    order = np.array(sorted(range(len(texts)), key=texts.__getitem__), np.int64)
    texts.sort()
    hashes = np.fromiter((zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in texts), np.uint32, len(texts))
    hashes *= np.uint32(2_654_435_761)  # Knuth's multiplier: spreads names that differ in a digit over all values
    tags = np.array([tag_count(sketches.get(index, b""))[0] or 1 for index in order.tolist()] if sketches else 1)
    before = np.concatenate(([0], np.cumsum(np.broadcast_to(tags, len(texts)))))
    prefixes = {key for key in keys if isinstance(key, str)}
    groups = grouped(texts, lambda begin, end: int(before[end] - before[begin]), limit, prefixes)
    entries = []
    for begin, end, prefix in groups:
        members = order[begin:end]
        first = int(members.min())
        if end - begin == 1:
            key = _cut(keys[first])
            names = sketches.get(first, b"")
        else:
            own = [index for index in members.tolist() if index in sketches] if sketches else []
            single = hashes[begin:end][~np.isin(members, own)] if own else hashes[begin:end]
            key, names = (
                prefix,
                _smallest(np.concatenate((single, *(np.frombuffer(sketches[index], np.uint32) for index in own)))),
            )
        number = UnknownTag(int(count[members].sum()), int(partition[first]), int(offset[first]), names)
        entries.append((first, key, number))
    return _summed((key, number) for _, key, number in sorted(entries, key=lambda entry: entry[0]))


def tag_count(hashes: bytes) -> tuple[int, bool]:
    """The number of tags behind a group's hashes, and whether it is exact. 0: unknown."""
    kept = np.frombuffer(hashes, np.uint32)
    if len(kept) < SKETCH:
        return len(kept), True
    # of n values spread evenly over [0, 1), the k-th smallest is at about k / n (Bar-Yossef et al. 2002)
    estimate = (SKETCH - 1) * 2**32 / (float(kept[-1]) + 1)
    return int(float(f"{estimate:.2g}")), False


def _smallest(hashes: NDArray[np.uint32]) -> bytes:
    return np.unique(hashes)[:SKETCH].tobytes()


def _of_group(hashes: bytes) -> tuple[str, dict[str, int]]:
    """The detail of a group's letter, and its member `tags`."""
    tags, is_exact = tag_count(hashes)
    if not tags:
        return f"{DETAIL}: readings of further tags; this is the first of them", {}
    number = f"{tags:,} tags" if is_exact else f"about {tags:,} tags"
    return f"{DETAIL}: {number}, reported together because there are many; this is the first reading", {"tags": tags}


def _cut(identity: Key) -> Key:
    if isinstance(identity, str) or all(part is None or len(part) <= NAME_LIMIT for part in identity):
        return identity
    asset, sensor, tag = (None if part is None else part[:NAME_LIMIT] for part in identity)
    return asset, sensor, tag


def _text(identity: Identity) -> str:
    """An identity as a path, which sorts by asset, then sensor, then tag."""
    asset, sensor, tag = identity
    return SEPARATOR.join(((asset or "")[:NAME_LIMIT], (sensor or "")[:NAME_LIMIT], (tag or "")[:NAME_LIMIT]))


def _pattern(prefix: str) -> dict[str, str | None]:
    """The parts of a prefix, the last one with `*` for what follows."""
    *whole, last = prefix.split(SEPARATOR, 2)
    parts = [part or None for part in whole] + ([f"{last}*"] if last or len(whole) == 2 else [])
    return dict(zip(("asset", "sensor", "tag"), parts, strict=False))
