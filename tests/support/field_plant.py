"""A small plant whose gateways send to a stream in memory, undisturbed or not, and the account of what became of it.

Values are the same in every run. So the scores of an undisturbed run are those of every other run, except for the
assets that a condition is about.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from eugenie_cli.episodes.records import iso
from eugenie_cli.flink_job.spec import AssetSpec, JobSpec
from support.gateway_formats import FORMATS, Format
from support.job_specs import build_spec, class_spec
from support.stream_in_memory import BEAT_MS, Record, StreamInMemory

START = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
SECONDS = 75
AFTER_S = 10
"""How long the stream runs on after the last readings."""
PARTITIONS = 3
WINDOW = 8
MAX_AHEAD_MS = 60_000

PUMP = class_spec(window=WINDOW)
FAN = class_spec("fan", sensors=("a", "v"), units=("A", "mm/s"), window=WINDOW)
CLASSES = {"pump": PUMP, "fan": FAN}
ASSETS = {"p0": "pump", "p1": "pump", "p2": "pump", "p3": "pump", "f0": "fan"}
ODD = "p0"
"""The asset to which things happen."""
BURST, BAD = range(40, 56), range(30, 36)
"""Seconds in which p2 is anomalous, and in which the second sensor of p3 and the first of p0 have bad quality."""

PROMPT_MS = 5_500
"""How long after its edge a row is made at most: the out-of-orderness of 2 s, a second to the next reading, another for
jitter, and the arrival and reading of a batch."""


def asset_spec(name: str, kind: str) -> AssetSpec:
    return AssetSpec(name, kind, {sensor: f"{name}.{sensor}" for sensor in CLASSES[kind].sensors})


@cache
def values(asset: str, kind: str) -> np.ndarray:
    """[SECONDS, S]: multiples of 1/4, which are exact in every sum; NaN: bad quality."""
    rng = np.random.default_rng(zlib.crc32(asset.encode()))
    table = rng.integers(0, 4, (SECONDS, len(CLASSES[kind].sensors))) / 4
    if asset == "p2":
        table[BURST] += 2.0
    if asset in ("p3", ODD):
        table[BAD, int(asset == "p3")] = np.nan
    return table


@dataclass
class Gateway:
    """Sends the readings of an asset, each second those of all its sensors. What it does not send at once it keeps."""

    asset: str
    kind: str = "pump"
    sensors: tuple[str, ...] = ("a", "b")
    clock: Callable[[int], int] = lambda second: 0
    """Second -> how far (ms) its clock is ahead."""
    stamp: Callable[[int], int] | None = None
    """Arrival (ms) -> the record's timestamp. None: the broker's."""
    measures: Callable[[int], bool] = lambda second: True
    sends: Callable[[int], bool] = lambda second: True
    backfills: bool = False
    """After being offline it sends current readings first, and what it stored at the end."""
    copies: int = 1
    changes_s: int = 1
    """Values change so seldom (s); meanwhile, they are sent again with the instant of their change."""
    delay_ms: int = 0
    partition: Callable[[int, str], int] | None = None
    """(second, sensor) -> partition. None: that of the asset."""
    name: Callable[[int], str] | None = None
    """Second -> the asset's name as sent."""
    plus: float = 0.0
    owner: str = ""
    """Whose readings they are in the account: `asset` or `asset (which)`."""

    def records(self, how: Format) -> Iterator[Record]:
        rng = np.random.default_rng(zlib.crc32(self.asset.encode()) + 1)
        table = values(self.asset, self.kind) + self.plus
        kept: list[int] = []
        late: list[int] = []
        was_offline = False
        for second in range(SECONDS):
            at = START + 1_000 * second + int(rng.integers(50, 350)) + self.delay_ms
            if self.measures(second):
                kept.append(second)
            if not self.sends(second):
                was_offline = True
                continue
            if self.backfills and was_offline:
                late, kept, was_offline = late + kept[:-1], kept[-1:], False
            for measured in kept:
                yield from self._sent(measured, at, table, how)
            kept = []
        for measured in [*kept, *late]:
            yield from self._sent(measured, START + 1_000 * SECONDS + self.delay_ms, table, how)

    def _sent(self, second: int, at: int, table: np.ndarray, how: Format) -> Iterator[Record]:
        second -= second % self.changes_s
        ts = START + 1_000 * second + self.clock(second)
        columns = CLASSES[self.kind].sensors
        measured = {sensor: float(table[second, columns.index(sensor)]) for sensor in self.sensors}
        name = self.asset if self.name is None else self.name(second)
        owner = self.owner or name
        for sent in how.encode(name, ts, measured):
            sensor = next(iter(measured)) if len(measured) == 1 else _sensor_in(sent.payload, self.sensors)
            number = home(self.asset) if self.partition is None else self.partition(second, sensor)
            stamped = sent.timestamp if sent.timestamp is not None else self.stamp(at) if self.stamp else None
            record = Record(at, number, sent.payload, {owner: sent.readings}, sent.key, sent.headers, stamped)
            yield from [record] * self.copies


def _sensor_in(payload: bytes, sensors: tuple[str, ...]) -> str:
    """The sensor of a canonical message; the first one of a message of several."""
    return next((sensor for sensor in sensors if f'"sensor": "{sensor}"'.encode() in payload), sensors[0])


def home(asset: str) -> int:
    """The partition of an asset whose name is the record's key."""
    return zlib.crc32(asset.encode()) % PARTITIONS


class Plant:
    """What a condition changes before the run: gateways, other records, the specification, and what happens when."""

    def __init__(self) -> None:
        self.gateways = {
            asset: Gateway(asset, kind, CLASSES[kind].sensors) for asset, kind in ASSETS.items()
        }  # fmt: skip
        self.format = FORMATS["canonical"]
        self.others: list[Record] = []
        self.events: list[tuple[int, Callable[[StreamInMemory], None]]] = []
        self.spec: JobSpec = build_spec(
            classes=(PUMP, FAN),
            assets=ASSETS,
            partitions=PARTITIONS,
            shards=2,
            max_ahead_ms=MAX_AHEAD_MS,
            mapping=self.format.dumped,
        )
        self.spec = replace(self.spec, assets=tuple(asset_spec(*pair) for pair in ASSETS.items()))
        self.after_s = AFTER_S

    def odd(self, **changes: Any) -> None:
        """Change the gateway of the odd asset."""
        self.gateways[ODD] = replace(self.gateways[ODD], **changes)

    def all(self, **changes: Any) -> None:
        self.gateways = {name: replace(gateway, **changes) for name, gateway in self.gateways.items()}

    def add(self, gateway: Gateway) -> None:
        self.gateways[f"{gateway.owner or gateway.asset}, {len(self.gateways)}"] = gateway

    def job(self, **changes: Any) -> None:
        """Change the job's specification."""
        self.spec = replace(self.spec, **changes)

    def speak(self, name: str) -> None:
        """Let all gateways write in a format."""
        self.format = FORMATS[name]
        self.job(mapping=self.format.dumped)

    def at(self, second: int, event: Callable[[StreamInMemory], None]) -> None:
        self.events.append((START + 1_000 * second, event))

    def stray(self, owner: str, payloads: Iterable[bytes | None], second: int = 0, every_ms: int = 100) -> None:
        """Messages that are no reading of the plant, one after the other."""
        for number, payload in enumerate(payloads):
            at = START + 1_000 * second + every_ms * number
            self.others.append(Record(at, number % PARTITIONS, payload, {owner: 1}))

    def run(self) -> Outcome:
        records = [*self.others, *(record for each in self.gateways.values() for record in each.records(self.format))]
        stream = StreamInMemory(self.spec, records, START - BEAT_MS)
        stream.run(START + 1_000 * (SECONDS + self.after_s), sorted(self.events, key=lambda event: event[0]))
        return Outcome.of(stream, records)


@dataclass
class Outcome:
    """What became of the readings of a run."""

    stream: StreamInMemory
    sent: Counter[str] = field(default_factory=Counter)
    """By owner."""
    dead: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(owner, reason) -> readings in dead letters."""
    letters: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    """Asset -> edge (ms) -> score record."""
    written_at: dict[tuple[str, int], int] = field(default_factory=dict)
    anomalies: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    reports: dict[str, Any] = field(default_factory=dict)
    ignored: int = 0
    repeated: int = 0
    conflicts: int = 0

    @staticmethod
    def of(stream: StreamInMemory, records: Iterable[Record]) -> Outcome:
        """Drain the stream and account for everything."""
        outcome = Outcome(stream, reports=stream.reports())
        stream.drain(end=False)
        outcome.ignored, outcome.conflicts = stream.gauge("ignoredReadings"), stream.gauge("conflictingReadings")
        outcome.repeated = stream.gauge("repeatedReadings")
        for record in records:
            outcome.sent.update(record.readings)
        for kind, key, record, at in stream.results:
            if kind == "score":
                edge = _ms(record["ts"])
                assert edge not in outcome.rows[key], f"the row of {key} at {record['ts']} was written twice"
                outcome.rows[key][edge] = record
                outcome.written_at[key, edge] = at
            elif kind == "anomaly":
                outcome.anomalies[record["asset"]].append(record)
            else:
                outcome.letters.append(record)
                outcome.dead[outcome._owner(record), record["reason"]] += record.get("count", 1)
        return outcome

    def _owner(self, letter: dict[str, Any]) -> str:
        if letter["partition"] is None:  # about what waited for its row when its asset left
            return str(json.loads(letter["payload"])["asset"])
        return next(iter(self.stream.record(letter).readings))

    def taken(self, asset: str) -> int:
        """Readings in the asset's rows."""
        return sum(row["readings"] + row["bad_quality"] for row in self.rows[asset].values())

    def bad(self, asset: str) -> int:
        return sum(row["bad_quality"] for row in self.rows[asset].values())

    def unaccounted(self) -> dict[str, int]:
        """Asset, or other sender -> readings sent, less those in rows, dead letters, and ignored ones. Empty: none.

        Repeated ones are counted together.
        """
        left: Counter[str] = Counter()
        for owner, count in self.sent.items():
            left[owner.split(" (")[0]] += count
        for (owner, _), count in self.dead.items():
            left[owner.split(" (")[0]] -= count
        for asset in self.rows:
            left[asset] -= self.taken(asset)
        if self.ignored:
            left["stranger"] -= self.ignored
        if min(left.values()) >= 0 and sum(left.values()) == self.repeated:
            return {}
        return {name: count for name, count in left.items() if count}

    def scores(self, asset: str, ahead_ms: int = 0) -> dict[int, tuple[Any, ...]]:
        """Edge (ms, less `ahead_ms`) -> score and counts of the row."""
        return {
            edge - ahead_ms: (row["score"], row["readings"], row["bad_quality"])
            for edge, row in self.rows[asset].items()
        }

    def episodes(self, asset: str) -> list[dict[str, Any]]:
        return [{key: value for key, value in record.items() if key != "delayed"} for record in self.anomalies[asset]]

    def longest_delay_ms(self, asset: str) -> int:
        """From its edge to when a row was written, of rows with a reading; the last ones wait for their sensors."""
        return max(
            at - edge
            for (name, edge), at in self.written_at.items()
            if name == asset and edge < START + 1_000 * (SECONDS - 5)
        )


def _ms(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))


@cache
def undisturbed() -> Outcome:
    """The run with which all others are compared."""
    outcome = Plant().run()
    assert not outcome.unaccounted() and not outcome.dead
    assert {record["state"] for record in outcome.anomalies["p2"]} >= {"open", "closed"}
    assert iso(START) == "2026-01-01T00:00:00.000Z"
    return outcome
