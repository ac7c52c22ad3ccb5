"""Every asset has its own clock: its rows are those that it makes alone, whatever the other assets send.

The test plays the gateways, Kafka and Flink: gateways send blocks of messages with clocks of their own, decoders read
their partitions in batches of any size, and tasks process the shares.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.decode import Decoder, Messages
from eugenie_cli.flink_job.key_groups import tasks
from eugenie_cli.flink_job.listening import Listening
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import joined
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.task_rows import TaskRows

from .conftest import build_spec, class_spec, readings
from .test_decode import START, letters, message

DAY = 86_400_000
LATEST = 5_500
"""How long (ms) after its edge a row is made at most: the out-of-orderness of 2 s, a second to the next reading or for
jitter, and the arrival and reading of two batches."""
ASSETS = tuple(f"p{number}" for number in range(6))
SPEC = build_spec(assets=dict.fromkeys(ASSETS, "pump"), shards=2, max_ahead_ms=60_000)


@dataclass(frozen=True)
class Sent:
    """A message as Kafka has it."""

    at: int
    """Wall clock (ms) of its arrival."""
    partition: int
    payload: bytes


@dataclass
class Gateway:
    """Sends one asset's readings, one per second and sensor, in blocks."""

    asset: str
    partition: int = 0
    offset_ms: int = 0
    """Its clock, compared with the wall clock."""
    flush_s: int = 1
    """Seconds between blocks."""
    apart_ms: int = 0
    """How long after sensor a sensor b is read and sent: a row's readings come in two messages. Not with blocks, of
    which the second would be out of order."""
    phase_s: int = 0
    silent: tuple[int, int] = (0, 0)
    """Seconds without readings, from and to."""
    stored: tuple[int, int] = (0, 0)
    """Seconds offline, from and to: the readings are sent afterwards."""
    leap: tuple[int, int] = (0, 0)
    """The second of one more reading, and how far ahead (ms) it is; 0: none."""

    def messages(self, seconds: int, rng: np.random.Generator) -> list[Sent]:
        sent, block = [], []  # a block: (how long after the others it is sent, payload)
        for second in range(seconds):
            if not self.silent[0] <= second < self.silent[1]:
                ts = START + 1_000 * second + self.offset_ms
                for sensor, later in (("a", 0), ("b", self.apart_ms)):
                    block.append((later, message(self.asset, sensor, ts + later, float(rng.integers(9)))))
            if self.leap[1] and second == self.leap[0]:
                leapt = START + 1_000 * second + self.offset_ms + self.leap[1]
                block.append((0, message(self.asset, "a", leapt, 5.0)))
            offline = self.stored[0] <= second < self.stored[1]
            if second % self.flush_s == self.phase_s % self.flush_s and not offline:
                at = START + 1_000 * second + int(rng.integers(0, 300))
                sent += [Sent(at + later, self.partition, payload) for later, payload in block]
                block = []
        return [*sent, *(Sent(START + 1_000 * seconds, self.partition, payload) for _, payload in block)]


@dataclass
class Job:
    """Decoders and tasks. `rows`: (asset, edge) -> its row; `dead`: (asset, reason) -> readings."""

    spec: JobSpec
    rows: dict[tuple[str, int], tuple[bytes, int, int]] = field(default_factory=dict)
    made_at: dict[tuple[str, int], int] = field(default_factory=dict)
    """The wall clock (ms) at which each row was made."""
    dead: Counter[tuple[str, str]] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    repeated: int = 0

    def __post_init__(self) -> None:
        routes = SensorIndex(self.spec)
        self.decoders = [Decoder(self.spec) for _ in range(self.spec.parallelism)]
        self.tasks = tasks(self.spec.shards, self.spec.parallelism)
        settings = self.spec.partitions, self.spec.idle_timeout_ms, self.spec.silent_plant_ms
        self.listening = {task: Listening(*settings) for task in self.tasks}
        self.task_rows = {task: TaskRows(routes, shards) for task, shards in self.tasks.items()}

    def batch(self, decoder: int, sent: list[Sent], wall: int) -> None:
        """Decode one batch in one decoder and let the tasks process it."""
        arrived = np.array([item.at for item in sent], np.int64)
        partition = np.array([item.partition for item in sent], np.int64)
        whole = Messages([item.payload for item in sent], partition, np.arange(len(sent)), arrived)
        shares = self.decoders[decoder].decode(whole, wall)
        self.count(letters(shares))
        for task, share in shares.items():
            clock = self.listening[task]
            clock.hear(share.heard, wall)
            clock.done(wall)
            if share.readings:
                _, late = self.task_rows[task].take(joined(share.readings), clock.now, clock.latest)
                self.count(json.loads(letter) for _, letter in late)
                self.repeated = sum(rows.repeated for rows in self.task_rows.values())
            if clock.has_started:
                self.make(task, clock.now, wall)

    def count(self, dead: Iterable[dict]) -> None:
        for letter in dead:
            content = json.loads(letter["payload"])
            asset = (content[0] if isinstance(content, list) else content)["asset"]
            self.dead[asset, letter["reason"]] += letter.get("count", 1)

    def make(self, task: int, now: float, wall: int) -> None:
        self.task_rows[task].complete(now, self.listening[task].is_plant_silent(wall))
        self.write(task, wall)

    def write(self, task: int, wall: int) -> None:
        for batch in self.task_rows[task].segments():
            counts = zip(batch.assets, batch.rows, batch.readings, batch.bad_quality, batch.edges.tolist(), strict=True)
            for asset, segment, good, bad, edges in counts:
                for index, edge in enumerate(edges):
                    assert (asset, edge) not in self.rows
                    window = segment[index : len(segment) - len(good) + index + 1]
                    self.rows[asset, edge] = window.tobytes(), int(good[index]), int(bad[index])
                    self.made_at[asset, edge] = wall
                    self.taken[asset] += int(good[index]) + int(bad[index])

    def drain(self) -> None:
        for task in self.tasks:
            self.task_rows[task].finish()
            self.write(task, 0)

    def of(self, asset: str) -> dict[int, tuple[bytes, int, int]]:
        return {edge: row for (name, edge), row in self.rows.items() if name == asset}


def run(spec: JobSpec, sent: list[Sent], rng: np.random.Generator, pauses: float = 0.0) -> Job:
    """Let the job read the messages in order of arrival, in each partition, as they arrive; then drain it."""
    job = Job(spec)
    queues: list[list[Sent]] = [[] for _ in range(spec.parallelism)]
    for item in sorted(sent, key=lambda item: item.at):  # a stable sort: a partition keeps its order
        queues[item.partition % spec.parallelism].append(item)
    wall = START
    while any(queues):
        wall += int(rng.integers(100, 700)) + (int(rng.integers(0, 30_000)) if rng.random() < pauses else 0)
        for decoder in rng.permutation(spec.parallelism).tolist():
            queue = queues[decoder]
            arrived = sum(item.at <= wall for item in queue)
            part = queue[: min(arrived, int(rng.integers(1, 200)))]
            if part:
                job.batch(decoder, part, wall)
                del queue[: len(part)]
    job.drain()
    return job


offsets = st.one_of(st.just(0), st.integers(-DAY, 50_000), st.sampled_from([20_000, 946_684_800_000 - START]))
spans = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda span: (min(span), max(span)))

leaps = st.tuples(st.integers(0, 60), st.integers(0, 50_000))
apart = st.fixed_dictionaries({"apart_ms": st.just(400)})
blocks = st.builds(
    lambda flush_s, other: {"flush_s": flush_s, **other},
    st.sampled_from([1, 1, 5, 10, 25]),
    st.fixed_dictionaries({"stored": spans}) | st.fixed_dictionaries({"leap": leaps}),
)


@st.composite
def gateways(draw: st.DrawFn) -> list[Gateway]:
    return [
        Gateway(
            asset,
            partition=draw(st.integers(0, 2)),
            offset_ms=draw(offsets),
            phase_s=draw(st.integers(0, 24)),
            silent=draw(spans),
            **draw(st.one_of(apart, blocks)),
        )
        for asset in ASSETS[: draw(st.integers(2, 6))]
    ]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    plant=gateways(),
    seed=st.integers(0, 2**32 - 1),
    parallelism=st.sampled_from([1, 2]),
    pauses=st.sampled_from([0.0, 0.02]),
)
def test_the_rows_of_an_asset_are_those_that_it_makes_alone(plant, seed, parallelism, pauses):
    rng = np.random.default_rng(seed)
    sent = {gateway.asset: gateway.messages(70, rng) for gateway in plant}
    assets = dict.fromkeys(ASSETS, "pump")
    together = run(
        build_spec(assets=assets, partitions=3, parallelism=parallelism, shards=2),
        [m for own in sent.values() for m in own],
        rng,
        pauses,
    )
    for asset, own in sent.items():
        alone = run(build_spec(assets=assets, partitions=3, shards=2), own, np.random.default_rng(0))
        assert together.of(asset) == alone.of(asset)
        assert together.taken[asset] == len(own) and not together.dead


@pytest.mark.slow
def test_a_clock_that_is_set_back_makes_the_readings_of_its_asset_late_until_it_has_caught_up():
    rng = np.random.default_rng(1)
    before = Gateway("p0", offset_ms=30_000, silent=(60, 120)).messages(120, rng)
    after = Gateway("p0", silent=(0, 60)).messages(120, rng)
    other = Gateway("p1").messages(120, rng)
    job = run(SPEC, [*before, *after, *other], rng)
    assert set(job.dead) == {("p0", "late")} and 50 <= job.dead["p0", "late"] <= 2 * 30
    assert job.taken["p0"] + job.dead["p0", "late"] == 240 and job.taken["p1"] == 240


@pytest.mark.slow
@pytest.mark.parametrize("sensors", ["a", "ab"])
def test_a_single_reading_ahead_makes_no_other_late(sensors):
    rng = np.random.default_rng(1)
    own = Gateway("p0").messages(120, rng)
    at = own[100].at
    wrong = [Sent(at, 0, message("p0", sensor, START + 100_000, 9.0)) for sensor in sensors]
    job = run(SPEC, [*own, *wrong, *Gateway("p1").messages(120, rng)], rng)
    assert not job.dead and job.taken == {"p0": 240 + len(sensors), "p1": 240}
    delays = [job.made_at["p0", edge] - edge for edge in job.of("p0") if edge < START + 115_000]
    assert max(delays) <= LATEST


@pytest.mark.slow
def test_a_clock_that_is_set_forward_continues_after_a_gap():
    rng = np.random.default_rng(1)
    before = Gateway("p0", offset_ms=946_684_800_000 - START, silent=(60, 120)).messages(120, rng)
    after = Gateway("p0", silent=(0, 60)).messages(120, rng)
    job = run(SPEC, [*before, *after, *Gateway("p1").messages(120, rng)], rng)
    assert not job.dead and job.taken == {"p0": 240, "p1": 240}
    assert sum(edge < START for edge in job.of("p0")) == 60 + 3  # and three rows that carry the last values on


@pytest.mark.slow
def test_a_sensor_that_reports_changes_only_has_its_rows_in_time():
    """Rows without a new reading are made by the wall clock, not by the next change."""
    rng = np.random.default_rng(1)
    sent = [
        Sent(START + 1_000 * second + 50, 0, message("p0", "a", START + 1_000 * second, float(second)))
        for second in range(0, 200, 7)
    ]
    spec = replace(SPEC, classes=(class_spec(max_gap_ms=10_000),))
    job = run(spec, [*sent, *Gateway("p1").messages(200, rng)], rng)
    assert not job.dead and job.taken["p0"] == len(sent)
    delays = [job.made_at["p0", edge] - edge for edge in job.of("p0") if START + 150_000 < edge < START + 190_000]
    assert len(delays) == 39 and max(delays) <= LATEST


def delays_of(streams: list[tuple[str, int, int, int]], seconds: int = 400) -> tuple[Job, list[int]]:
    """p0, of which each sensor is sent as (name, seconds behind, seconds per block, seconds per new instant).

    Returns the job and how long after its edge each of the last 100 rows was made.
    """
    rng, sent = np.random.default_rng(1), Gateway("p1").messages(seconds, np.random.default_rng(2))
    for sensor, behind, block, every in streams:
        for second in range(block, seconds, block):
            ages = range(block - 1, -1, -1)
            instants = [(second - age - behind) // every * every for age in ages]
            sent += [
                Sent(START + 1_000 * second + 50, 0, message("p0", sensor, START + 1_000 * instant, float(instant % 9)))
                for instant in instants
            ]
    job = run(replace(SPEC, classes=(class_spec(max_gap_ms=30_000),)), sent, rng)
    made = sorted(edge for edge in job.of("p0") if edge < START + 1_000 * (seconds - 40))[-100:]
    return job, [job.made_at["p0", edge] - edge for edge in made]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("streams", "late", "delay_s"),
    [
        pytest.param([("a", 0, 1, 1), ("b", 0, 1, 1)], 0, 0, id="one gateway"),
        pytest.param([("a", 0, 1, 1), ("b", 8, 1, 1)], 10, 10, id="a sensor 8 s behind"),
        pytest.param([("a", 0, 1, 1), ("b", 0, 10, 1)], 30, 14, id="a gateway that sends every 10 s"),
        pytest.param([("a", 0, 1, 1), ("b", 0, 1, 20)], 20, 0, id="a polled value that seldom changes"),
    ],
)
def test_the_sensors_of_an_asset_may_come_by_different_ways(streams, late, delay_s):
    """Few readings are late, and rows wait for as long as they must, not longer."""
    job, delays = delays_of(streams)
    assert set(job.dead) <= {("p0", "late")} and job.dead["p0", "late"] <= late
    assert max(delays) <= LATEST + 1_000 * delay_s


@pytest.mark.slow
def test_a_clock_that_is_set_back_delays_no_rows_afterwards():
    rng = np.random.default_rng(1)
    before = Gateway("p0", offset_ms=30_000, silent=(60, 300)).messages(300, rng)
    after = Gateway("p0", silent=(0, 60)).messages(300, rng)
    job = run(SPEC, [*before, *after, *Gateway("p1").messages(300, rng)], rng)
    delays = [job.made_at["p0", edge] - edge for edge in job.of("p0") if START + 150_000 < edge < START + 290_000]
    assert len(delays) > 130 and max(delays) <= LATEST


def test_rows_are_released_up_to_the_clock_of_the_asset_only():
    """An open anomaly ends with a silence; readings that came after it are not judged before they are complete."""
    routes = SensorIndex(SPEC)
    number = int(routes.shard[routes.place_of("p0", "a", None)])
    rows = TaskRows(routes, (number,))
    times = [*range(0, 30_000, 1_000), 60_000, 61_000]
    made = []
    for ts in times:
        rows.take(readings(routes, ("p0", "a", START + ts, 1.0)), float(ts))
        rows.complete(float(ts))
        rows.release(["p0"], rows.clocks_now(float(ts)))
        made += [edge for batch in rows.segments() for edge in batch.edges.ravel().tolist()]
    assert max(made) - START == 29_000 + 3_000  # carried on by max_gap, and nothing of the two pending readings


@pytest.mark.slow
@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("down_s", [0, 60, 3_600])
def test_the_readings_of_an_asset_may_be_spread_over_partitions(down_s, parallelism):
    """Without a key they are, and a backlog is read partition after partition; by several decoders, in any order."""
    rng = np.random.default_rng(down_s)
    spec = replace(SPEC, partitions=4, parallelism=parallelism)
    seconds = down_s + 60
    sent = sorted((item for name in ("p0", "p1") for item in Gateway(name).messages(seconds, rng)), key=lambda m: m.at)
    spread = [replace(item, partition=int(rng.integers(4))) for item in sent]
    job, wall = Job(spec), START + 1_000 * down_s
    backlog = [[item for item in spread if item.partition == number and item.at <= wall] for number in range(4)]
    while any(backlog):  # Kafka's client returns up to 500 records of a partition at a time
        wall += 20
        for number in rng.permutation(4).tolist():
            if backlog[number]:
                job.batch(number % parallelism, backlog[number][:500], wall)
                del backlog[number][:500]
    live = [item for item in spread if item.at > START + 1_000 * down_s]
    for begin in range(0, len(live), 7):
        for decoder in range(parallelism):
            part = [item for item in live[begin : begin + 7] if item.partition % parallelism == decoder]
            if part:
                job.batch(decoder, part, max(wall, part[-1].at + 50))
    job.drain()
    assert not job.dead and job.taken == {"p0": 2 * seconds, "p1": 2 * seconds}
    late = [job.made_at[name, edge] - edge for name, edge in job.rows if edge > wall + 20_000 and edge < wall + 50_000]
    assert len(late) >= 50 and max(late) <= LATEST + 10_000  # a partition has a message every two seconds here


@pytest.mark.slow
@pytest.mark.parametrize("away_s", [20, 600])
def test_a_plant_that_was_offline_loses_no_readings(away_s):
    """One way to the broker for all assets: what they stored is scored, although the plant counted as silent."""
    rng, begin, end = np.random.default_rng(1), 40, 40 + away_s
    sent = [item for name in ("p0", "p1") for item in Gateway(name, stored=(begin, end)).messages(end + 30, rng)]
    job = Job(SPEC)
    for second in range(end + 40):
        wall = START + 1_000 * second
        if part := [item for item in sent if wall - 1_000 < item.at <= wall]:
            job.batch(0, sorted(part, key=lambda item: item.at), wall)
        else:
            job.make(0, job.listening[0].now, wall)  # the timer of the operator
        if second == end - 1 and away_s == 600:
            assert max(edge for _, edge in job.rows) == START + 1_000 * (begin - 1)  # all that had arrived
    job.drain()
    assert not job.dead and job.taken == {"p0": 2 * (end + 30), "p1": 2 * (end + 30)}
