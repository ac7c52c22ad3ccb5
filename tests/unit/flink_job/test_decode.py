"""Batches of messages: rejections, and the shares of the tasks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eugenie_cli.episodes.records import iso
from eugenie_cli.flink_job.decode import Decoder, Messages, arrivals
from eugenie_cli.flink_job.share import Share
from eugenie_cli.flink_job.unknown_tags import UnknownTag

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
    return sum(len(part.ts) for share in shares.values() for part in share.readings.values())


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
    assert decoder.clock.now == START - BOUND - 1  # readings that are accepted count


@pytest.mark.parametrize("parallelism", [1, 2])
def test_tasks_learn_which_partitions_were_heard(job_spec, parallelism):
    decoder = Decoder(job_spec(parallelism=parallelism))
    assets = {task: f"p{1 + task}" for task in range(parallelism)}
    everywhere = decoder.decode(messages([message("p9", "x", START)], partition=3), START)
    assert {task: share.heard for task, share in everywhere.items()} == {task: {3: (0, 0)} for task in assets}
    # within a second only tasks that get something, and then what was heard since their last share
    first = decoder.decode(messages([message("p1", "a", START)], partition=4, first_offset=7), START + 500)
    assert [share.heard for share in first.values()] == [{4: (7, 7)}]
    assert len(decoder.decode(messages([b"{"] * 2, partition=4, first_offset=8), START + 600)) == 1  # its letters
    later = decoder.decode(messages([b"{"], partition=5), START + 1_000)
    assert len(later) == parallelism
    (of_first,) = first
    assert later.pop(0).heard == {5: (0, 0), **({4: (7, 7)} if of_first else {})}
    assert [share.heard for share in later.values()] == [{4: (7, 9), 5: (0, 0)}] * (parallelism - 1)


def test_readings_keep_the_position_and_arrival_of_their_message(job_spec):
    spec = job_spec(assets={f"p{number}": "pump" for number in range(6)})
    wide = {**spec.mapping, "shape": "wide", "sensor": None, "tag": None, "value": None, "quality": None}
    decoder = Decoder(job_spec(assets={asset.name: "pump" for asset in spec.assets}, mapping=wide))
    sent = [json.dumps({"ts": iso(START), "asset": f"p{number}", "a": number, "b": 9}).encode() for number in range(6)]
    batch = Messages(sent, np.arange(6) % 3, 100 + np.arange(6), START + np.arange(6))
    readings = [part for share in decoder.decode(batch, START + 9).values() for part in share.readings.values()]
    found = {
        (int(offset), int(partition), int(arrival), float(value))
        for part in readings
        for value, arrival, partition, offset in zip(*part[2:], strict=True)
    }
    assert found == {
        (100 + number, number % 3, START + number, value) for number in range(6) for value in (number, 9.0)
    }


def test_values_are_converted_to_the_units_of_their_sensors(job_spec):
    spec = job_spec()
    mapping = {**spec.mapping, "value": {"path": "value", "conversions": {"pump": {"a": (2.0, 1.0)}}}}
    decoder = Decoder(job_spec(mapping=mapping))
    sent = [message("p1", "a", START, 10), message("p1", "b", START, 10), message("p2", "a", START, 0)]
    shares = decoder.decode(messages(sent), START)
    values = [value for share in shares.values() for part in share.readings.values() for value in part.value.tolist()]
    assert sorted(values) == [1.0, 10.0, 21.0]


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
    assert decoder.clock.now == (0 if is_future else min(ts, decoder_arrival(sent, wall)) - BOUND - 1)


def decoder_arrival(sent: int, wall: int) -> int:
    return int(arrivals(np.array([sent]), wall)[0])


def test_readings_of_odd_messages_keep_their_place_in_the_order_of_arrival(job_spec):
    """They are read by the scalar rule, after the others; whether a reading is late depends on the order."""
    spec = job_spec(shards=1)
    tagged = json.dumps({"asset": "p1", "tag": "b", "ts": iso(START + 1), "value": "2.5", "x": [{}]}).encode()
    sent = [message("p1", "a", START), tagged, message("p1", "a", START + 2), b"{", message("p2", "b", START + 3)]
    sent = [payload for _ in range(40) for payload in sent]
    (part,) = (
        part for share in Decoder(spec).decode(messages(sent), START).values() for part in share.readings.values()
    )
    assert len(part.offset) == 160 and (np.diff(part.offset) > 0).all()
