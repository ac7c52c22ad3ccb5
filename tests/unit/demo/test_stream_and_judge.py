"""The live stream has the defects of real gateways; the judge compares strictly and accounts for every reading."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from eugenie_cli.demo.judge import GRACE_MS, account, contract, judge
from eugenie_cli.demo.live import play
from eugenie_cli.demo.messages import LATE_SHARE, MALFORMED_SHARE, arrivals
from eugenie_cli.demo.plant.faults import Fault
from eugenie_cli.demo.plant.plant import Plant
from eugenie_cli.demo.simulate import choose_kinds
from eugenie_cli.demo.timeline import LIVE_HOUR, LIVE_MS, last_morning, live_faults, new_plant
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError

START = 1_767_225_600_000
HOUR = 3_600_000


@pytest.fixture(scope="module")
def stream():
    plant = Plant(5, START, START + HOUR)
    return arrivals(5, plant.live(START + 2 * HOUR, ()))


class TestStream:
    def test_messages_are_in_order_of_arrival_and_never_before_their_measurement(self, stream):
        assert (np.diff(stream.arrival) >= 0).all()
        assert (stream.arrival >= stream.samples.ts).all()

    def test_about_one_in_a_hundred_is_late_and_one_in_two_hundred_damaged(self, stream):
        late = (stream.arrival - stream.samples.ts > 30_000).mean()
        assert late == pytest.approx(LATE_SHARE, rel=0.25)
        assert (stream.damage >= 0).mean() == pytest.approx(MALFORMED_SHARE, rel=0.35)

    @pytest.mark.slow
    def test_sound_messages_are_canonical_and_damaged_ones_are_damaged_in_five_ways(self, stream):
        kinds = Counter()
        for i, (key, value) in enumerate(stream.messages(0, len(stream))):
            try:
                record = json.loads(value)
            except ValueError:
                kinds["not JSON"] += 1
                assert stream.damage[i] >= 0
                continue
            if stream.damage[i] < 0:
                assert set(record) in (
                    {"tag", "ts", "value", "quality"},
                    {"asset", "sensor", "ts", "value", "quality"},
                )
                assert key.decode() == record.get("asset", record.get("tag", "")[:5])
                assert record["ts"].endswith("Z")
            else:
                kinds[
                    "no ts"
                    if "ts" not in record
                    else "bad ts"
                    if not record["ts"].endswith("Z")
                    else "text"
                    if isinstance(record["value"], str)
                    else "unknown"
                    if "P-999" in str(record)
                    else "sound"
                ] += 1
        assert set(kinds) == {"not JSON", "no ts", "bad ts", "text", "unknown"}


class FakeTime:
    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Recorder:
    def __init__(self, time):
        self.time, self.sent, self.flushed = time, [], False

    def send(self, topic, key, value, timestamp_ms=None):
        self.sent.append((self.time.now, topic, key, value))

    def flush(self):
        self.flushed = True


class TestPlay:
    @pytest.mark.slow
    def test_every_message_is_sent_once_when_the_plants_clock_reaches_it(self, stream):
        time = FakeTime()
        sink = Recorder(time)
        played = play(stream, sink, "t", start_ms=START + HOUR, speed=360, clock=time.clock, sleep=time.sleep)
        assert played.messages == len(stream) == len(sink.sent)
        assert sink.flushed
        assert [value for *_, value in sink.sent] == [value for _, value in stream.messages(0, len(stream))]
        plant = START + HOUR + np.array([at for at, *_ in sink.sent]) * 360_000
        assert (stream.arrival <= plant + 1).all()
        assert (plant - stream.arrival <= 0.051 * 360_000 + 1).all()

    def test_it_stops_on_request(self, stream):
        time = FakeTime()
        sink = Recorder(time)
        play(
            stream,
            sink,
            "t",
            start_ms=START + HOUR,
            speed=10,
            stopped=lambda: time.now > 3,
            clock=time.clock,
            sleep=time.sleep,
        )
        assert 0 < len(sink.sent) < len(stream)


def opened(asset, at, sensors=("flow",), id="a"):
    return {
        "id": id,
        "state": "open",
        "asset": asset,
        "detected": iso(at),
        "sensors": [{"sensor": name} for name in sensors],
    }


FAULT = Fault("bearing-wear", "P-101", START, START + HOUR)


class TestJudge:
    def test_the_first_anomaly_during_the_fault_detects_it(self):
        records = [
            opened("P-101", START + 90_000, ("vibration", "flow")),
            opened("P-101", START + 99_000, id="b"),
        ]
        (verdict,), false_alarms = judge(records, [FAULT])
        assert verdict.delay_s == 90 and verdict.right and verdict.sensors == ("vibration", "flow")
        assert false_alarms == []

    def test_a_repeated_record_is_one_anomaly(self):
        _, false_alarms = judge([opened("P-102", START), opened("P-102", START)], [FAULT])
        assert len(false_alarms) == 1

    @pytest.mark.parametrize(
        ("asset", "at"), [("P-102", START + 1), ("P-101", START - 1), ("P-101", START + HOUR + GRACE_MS + 1)]
    )
    def test_an_anomaly_on_another_pump_too_early_or_too_late_is_a_false_alarm(self, asset, at):
        (verdict,), false_alarms = judge([opened(asset, at)], [FAULT])
        assert verdict.detected is None and not verdict.right
        assert len(false_alarms) == 1

    def test_the_right_sensor_in_fourth_place_is_wrong(self):
        (verdict,), _ = judge([opened("P-101", START + 1, ("flow", "speed", "filter_dp", "vibration"))], [FAULT])
        assert verdict.detected is not None and not verdict.right

    def test_updates_and_closes_detect_nothing(self):
        (verdict,), false_alarms = judge([{**opened("P-101", START + 1), "state": "update"}], [FAULT])
        assert verdict.detected is None and false_alarms == []


class TestAccount:
    SCORES = ({"readings": 8, "bad_quality": 1}, {"readings": 0, "bad_quality": 2})
    DEAD = ({"reason": "late"}, {"reason": "bad-json"}, {"reason": "late"}, {"reason": "unknown-tag", "count": 3})

    def test_the_books_balance_only_when_every_reading_is_found(self):
        assert account(17, self.SCORES, self.DEAD).balanced
        assert not account(18, self.SCORES, self.DEAD).balanced
        assert account(17, self.SCORES, self.DEAD).reasons == (("bad-json", 1), ("late", 2), ("unknown-tag", 3))

    def test_the_json_contract(self):
        verdicts, _ = judge([opened("P-101", START + 90_000, ("vibration",))], [FAULT])
        assert contract(verdicts, 0, account(17, self.SCORES, self.DEAD), 12.34) == {
            "faults": [
                {
                    "kind": "bearing-wear",
                    "asset": "P-101",
                    "injected": "2026-01-01T00:00:00.000Z",
                    "detected": "2026-01-01T00:01:30.000Z",
                    "delay_s": 90.0,
                    "sensors": ("vibration",),
                    "right": True,
                }
            ],
            "false_alarms": 0,
            "readings": {"sent": 17, "in_rows": 8, "bad_quality": 3, "dead_letters": 6},
            "seconds": 12.3,
        }


class TestTimeline:
    def test_the_live_part_is_in_the_past_and_follows_the_history(self):
        plant = new_plant(1, 3, START)
        assert plant.end + LIVE_MS <= START < plant.end + LIVE_MS + 60_000
        assert plant.end - plant.start == 3 * 24 * HOUR

    def test_all_faults_end_well_before_the_live_part_does(self):
        plant = new_plant(1, 3, START)
        faults = live_faults(plant, choose_kinds("all"))
        assert min(fault.onset for fault in faults) > plant.end + 20 * 60_000
        assert max(fault.end for fault in faults) < plant.end + LIVE_MS - 20 * 60_000

    def test_an_unknown_kind_of_fault_is_refused_with_the_known_ones(self):
        with pytest.raises(EugenieError) as error:
            choose_kinds("cavitation,rust")
        assert "rust" in error.value.reason and "valve-leak" in error.value.hint


def test_the_demo_begins_at_the_same_hour_whenever_it_runs():
    day = 86_400_000
    for now in range(START, START + 2 * day, 37 * 60_000):
        end = last_morning(now)
        assert now - day < end <= now
        assert (end - LIVE_MS) % day == LIVE_HOUR * 3_600_000
        assert new_plant(1, 3, end).end == end - LIVE_MS
