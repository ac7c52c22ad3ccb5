"""Batches of messages: rejections, shares of the tasks, and rows that are independent of the order of arrival."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.episodes.records import iso
from eugenie_cli.flink_job.decode import Decoder, Messages, Share
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.shard import Shard
from eugenie_cli.flink_job.unknown_tags import UnknownTag
from eugenie_cli.flink_job.watermark import NOT_YET, Watermark

START = 1_767_225_600_000
BOUND = 2_000


def message(asset: str, sensor: str, ts: int | str, value: object = 1.0) -> bytes:
    text = iso(ts) if isinstance(ts, int) else ts
    return json.dumps({"asset": asset, "sensor": sensor, "ts": text, "value": value}).encode()


def messages(payloads: list[bytes | None], first_offset: int = 0, partition: int = 0, sent: int = START) -> Messages:
    count = len(payloads)
    return Messages(
        payloads, np.full(count, partition), first_offset + np.arange(count), np.full(count, sent, np.int64)
    )


def letters(shares: dict[int, Share]) -> list[dict]:
    return [json.loads(letter) for share in shares.values() for _, letter in share.letters]


def taken(shares: dict[int, Share]) -> int:
    return sum(len(ts) for share in shares.values() for _, ts, _ in share.readings.values())


def test_every_message_is_a_reading_a_letter_or_an_unknown_tag(job_spec):
    decoder = Decoder(job_spec())
    shares = decoder.decode(
        messages(
            [
                message("p1", "a", START),
                b"{",
                message("p1", "a", "yesterday"),
                None,
                message("p1", "a", START + 3_600_001),
                message("p1", "zz", START),
                message("p1", "zz", START + 1),
                message("p2", "b", START, "bad"),
            ],
            first_offset=100,
        ),
        START,
    )
    assert taken(shares) == 2
    assert [(letter["reason"], letter["partition"], letter["offset"]) for letter in letters(shares)] == [
        ("bad-json", 0, 101),
        ("bad-timestamp", 0, 102),
        ("bad-json", 0, 103),
        ("future", 0, 104),
    ]
    assert shares[0].unknown_tags == {("p1", "zz", None): UnknownTag(2, 0, 105)}
    assert decoder.clock.now == START - BOUND  # the unknown tag's instant counts, the future one does not


def test_a_single_decoder_reports_event_time(job_spec):
    spec = job_spec()
    decoder = Decoder(spec)
    first = decoder.decode(messages([message("p1", "a", START + 100), b"{"]), START)
    assert {task: share.complete for task, share in first.items()} == {0: START - BOUND + 99}
    same_row = decoder.decode(messages([message("p1", "a", START + 500)]), START)
    assert (taken(same_row), same_row[0].complete) == (1, START - BOUND + 499)
    next_row = decoder.decode(messages([message("p9", "x", START + 1_001)]), START)
    assert (taken(next_row), next_row[0].complete) == (0, START - BOUND + 1_000)
    assert decoder.decode(messages([message("p9", "x", START + 1_002)]), START)[0].readings == {}


def test_each_of_several_decoders_reports_event_time_to_every_task(job_spec):
    decoders = [Decoder(job_spec(parallelism=2)) for _ in range(2)]
    sent = [message("p1", "a", START + 1)]
    results = [decoder.decode(messages(sent), START) for decoder in decoders]
    assert [{task: share.complete for task, share in shares.items()} for shares in results] == [
        dict.fromkeys((0, 1), START - BOUND)
    ] * 2
    numbers = [{share.decoder for share in shares.values()} for shares in results]
    assert [len(decoder_numbers) for decoder_numbers in numbers] == [1, 1] and numbers[0] != numbers[1]
    # between steps only tasks that get readings, but every task at least once a second
    assert len(decoders[0].decode(messages([message("p1", "a", START + 2)]), START + 999)) == 1
    assert len(decoders[0].decode(messages([message("p1", "a", START + 3)]), START + 1_000)) == 2


def test_each_task_gets_the_readings_of_its_shards(job_spec):
    spec = job_spec(parallelism=2, assets={f"p{number}": "pump" for number in range(20)})
    sent = [message(f"p{number}", "a", START) for number in range(20)] + [b"{"]
    shares = Decoder(spec).decode(messages(sent), START)
    assert {task: tuple(share.readings) for task, share in shares.items()} == {0: (0, 1, 2, 3), 1: (4, 5, 6, 7)}
    assert (taken(shares), len(shares[0].letters), shares[1].letters) == (20, 1, [])


def test_more_unknown_tags_than_the_site_has_sensors(job_spec):
    decoder = Decoder(job_spec())
    sent = [message("p1", "a", START), *(message("p9", f"x{number}", START) for number in range(200))]
    shares = decoder.decode(messages(sent), START)
    assert (taken(shares), len(shares[0].unknown_tags)) == (1, 200)


def test_readings_whose_row_has_been_made_are_late(job_spec):
    decoder = Decoder(job_spec())
    decoder.decode(messages([message("p1", "a", START + BOUND + 1)]), START)
    assert decoder.clock.now == START
    shares = decoder.decode(messages([message("p1", "a", START), message("p1", "a", START + 1)], 1), START)
    (letter,) = letters(shares)
    assert (letter["reason"], letter["offset"], json.loads(letter["payload"])["ts"]) == ("late", 1, iso(START))
    assert taken(shares) == 1


def test_an_array_of_late_readings_is_one_letter_with_a_count(job_spec):
    mapping = {"shape": "wide", "ts": {"path": "ts"}, "asset": {"path": "asset"}}
    decoder = Decoder(job_spec(mapping=mapping))
    decoder.decode(messages([json.dumps({"ts": iso(START), "asset": "p1", "a": 1}).encode()]), START)
    late = json.dumps({"ts": iso(START - 10_000), "asset": "p1", "a": 1, "b": 2}).encode()
    (letter,) = letters(decoder.decode(messages([late], 1), START))
    assert (letter["reason"], letter["count"]) == ("late", 2)


WALL = START + 30_000
YEAR_2099 = 4_070_908_800_000


@pytest.mark.parametrize(
    ("sent", "wall", "ts", "is_future"),
    [
        pytest.param(WALL, WALL, WALL + 59_000, False, id="a clock slightly ahead"),
        pytest.param(WALL, WALL, WALL + 61_000, True, id="too far ahead of a broker's timestamp"),
        pytest.param(YEAR_2099, WALL, YEAR_2099, True, id="the producer's timestamp is as wrong as the reading"),
        pytest.param(WALL + 3 * 3_600_000, WALL, WALL + 3 * 3_600_000, True, id="both hours ahead"),
        pytest.param(1_772_323_200_000_000, WALL, WALL + 61_000, True, id="timestamp in microseconds"),
        pytest.param(-1, WALL, WALL, False, id="no timestamp"),
        pytest.param(-1, WALL, WALL + 61_000, True, id="no timestamp, and too far ahead"),
        pytest.param(0, WALL, WALL, False, id="a timestamp of 0"),
        pytest.param(int(np.iinfo(np.int64).min), WALL, WALL, False, id="null"),
        pytest.param(86_400_000, WALL, WALL, False, id="a gateway in 1970 sends readings with correct times"),
        pytest.param(946_684_800_000, WALL, YEAR_2099, True, id="a gateway in 2000 sends readings of 2099"),
        pytest.param(START - 10**9, WALL, START - 10**9 + 61_000, True, id="ahead then, read later"),
        pytest.param(WALL, WALL, 1_000_000_000_000, False, id="a replay of 2001 with current timestamps"),
        pytest.param(1_000_000_000_000, WALL, 1_000_000_000_000, False, id="a replay of 2001 with timestamps of 2001"),
        pytest.param(WALL, 3_000, WALL, False, id="this machine's clock was never set"),
        pytest.param(WALL, 3_000, WALL + 61_000, True, id="this machine's clock was never set, and too far ahead"),
        pytest.param(-1, 3_000, WALL, False, id="no clock at all"),
    ],
)
def test_a_future_reading_is_ahead_of_its_record_and_of_now(job_spec, sent, wall, ts, is_future):
    decoder = Decoder(job_spec(max_ahead_ms=60_000))
    shares = decoder.decode(messages([message("p1", "a", ts)], sent=sent), wall)
    assert [letter["reason"] for letter in letters(shares)] == ["future"] * is_future
    assert taken(shares) == (not is_future)
    assert decoder.clock.now == (0 if is_future else ts - BOUND - 1)


def test_a_partition_whose_clock_is_set_back_is_late_and_the_others_are_not(job_spec):
    """All readings of the wrong gateway are dead letters, and none of the others."""
    decoder = Decoder(job_spec(partitions=2))
    late: Counter = Counter()
    for second in range(300):
        now = START + 1_000 * second
        back = now if second < 60 else now - 86_400_000
        sent = [message("p1", "a", now), message("p2", "a", back)]
        batch = Messages(sent, np.array([0, 1]), np.array([second, second]), np.array([now, now]))
        late.update(json.loads(letter["payload"])["asset"] for letter in letters(decoder.decode(batch, now)))
    assert late == {"p2": 240} and decoder.clock.now == START + 299_000 - BOUND - 1


class TestClock:
    def test_follows_the_slowest_partition_and_never_decreases(self):
        clock = Watermark(partitions=2, parallelism=1, out_of_orderness_ms=BOUND, idle_timeout_ms=10_000)
        assert clock.advance({0: START}, 0) == NOT_YET  # the other has sent nothing
        assert clock.advance({1: START - 5_000}, 1) == START - 5_000 - BOUND - 1
        assert clock.advance({1: START - 9_000}, 2) == START - 5_000 - BOUND - 1
        assert clock.advance({1: START + 9_000}, 3) == START - BOUND - 1

    def test_continues_without_a_silent_partition(self):
        clock = Watermark(partitions=2, parallelism=1, out_of_orderness_ms=BOUND, idle_timeout_ms=10_000)
        clock.advance({0: START, 1: START}, 0)
        for second in range(1, 11):
            assert clock.advance({0: START + 60_000}, 1_000 * second) == START - BOUND - 1
        assert clock.advance({0: START + 60_000}, 10_001) == START + 60_000 - BOUND - 1

    def test_does_not_wait_indefinitely_for_a_partition_that_sent_nothing(self):
        clock = Watermark(partitions=3, parallelism=1, out_of_orderness_ms=BOUND, idle_timeout_ms=10_000)
        for second in range(11):
            assert clock.advance({0: START}, 1_000 * second) == NOT_YET
        assert clock.advance({0: START}, 10_001) == START - BOUND - 1

    def test_a_task_waits_for_its_share_of_the_partitions(self):
        clock = Watermark(partitions=4, parallelism=2, out_of_orderness_ms=0, idle_timeout_ms=10_000)
        clock.advance({1: START}, 0)
        assert clock.advance({3: START + 1}, 0) == START - 1


def made_rows(spec, stream: list[tuple[int, bytes]], cuts: list[int]) -> tuple[dict, Counter]:
    """(partition, payload) in order of arrival, in batches that end at `cuts` -> the rows of each asset, and totals."""
    decoder, routes = Decoder(spec), SensorIndex(spec)
    shards = {number: Shard(routes, number) for number in range(spec.shards)}
    rows: dict = {}
    totals: Counter = Counter()

    def collect(batches):
        for batch in batches:
            for asset, segment, good, bad in zip(
                batch.assets, batch.rows, batch.readings, batch.bad_quality, strict=True
            ):
                for index, edge in enumerate(batch.edges.tolist()):
                    assert (asset, edge) not in rows
                    rows[asset, edge] = segment[len(segment) - len(good) + index].tobytes()
                    totals.update(rows=int(good[index]), bad=int(bad[index]))

    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        part = stream[begin:end]
        batch = Messages(
            [payload for _, payload in part],
            np.array([partition for partition, _ in part], np.int64),
            np.arange(begin, end),
            np.full(len(part), START + 10**7, np.int64),
        )
        for share in decoder.decode(batch, 0).values():
            late = [letter for number, part in share.readings.items() for letter in shards[number].take(part)[1]]
            totals.update(dead=len(share.letters) + len(late) + sum(tag.count for tag in share.unknown_tags.values()))
        for shard in shards.values():
            collect(shard.advance(decoder.clock.now))
    for shard in shards.values():
        collect(shard.advance(START + 10**6))
    return rows, totals


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_rows_do_not_depend_on_order_of_arrival_within_the_bound_or_on_batching(job_spec_factory, data):
    spec = job_spec_factory(assets={f"p{number}": "pump" for number in range(5)}, partitions=2)
    count = data.draw(st.integers(1, 120))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    instants = START + np.sort(rng.integers(0, 20_000, count))
    value = np.where(rng.random(count) < 0.1, None, rng.integers(0, 5, count))  # some values tie, some are bad
    sent = [
        (int(rng.integers(2)), message(f"p{rng.integers(5)}", "ab"[rng.integers(2)], int(ts), number))
        for ts, number in zip(instants, value, strict=True)
    ]
    expected = made_rows(spec, sent, [])
    # each reading is delayed by at most the bound, so none arrives more than the bound after a later one
    order = np.argsort(instants + rng.integers(0, BOUND + 1, count), kind="stable")
    cuts = sorted(set(rng.integers(0, count + 1, data.draw(st.integers(0, 10))).tolist()))
    assert made_rows(spec, [sent[index] for index in order], cuts) == expected
    assert expected[1].total() == count and expected[1]["dead"] == 0


@pytest.fixture(scope="module")
def job_spec_factory():
    from .conftest import build_spec

    return build_spec
