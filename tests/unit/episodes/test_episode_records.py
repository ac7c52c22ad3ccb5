"""The JSON records of the stream."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.episodes import records
from eugenie_cli.episodes.state_machine import Event

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
SENSORS = [(f"s{index}", "bar") for index in range(7)]


def event(**changes) -> Event:
    defaults = {
        "kind": "open", "at": START + 4_000, "start": START, "detected": START + 4_000, "end": None,
        "reason": None, "score": 3.40000009, "peak": 5.1,
        "contribution": (0.05, 0.3, 0.02, 0.4, 0.1, 0.1, 0.03),
        "values": (0.1, math.nan, 1, 2, 3, 4, 5), "expected": (math.nan, 2.1, 1, 2, 3, 4, 5), "version": 7,
    }  # fmt: skip
    return Event(**{**defaults, **changes})


def anomaly(**changes):
    return records.anomaly_record("plant", "pump-1", "pump", SENSORS, event(**changes), "pump")


@pytest.mark.parametrize(
    "ms, text",
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (START + 250, "2026-01-01T00:00:00.250Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (-60_000_000_000_000, "0068-09-03T13:20:00.000Z"),
    ],
)
def test_instants_are_iso_8601_with_milliseconds_and_z(ms, text):
    assert records.iso(ms) == text


@settings(deadline=None)  # a busy machine is not a failure
@given(st.integers(-(10**13), 10**13))
def test_an_instant_survives_a_round_trip(ms):
    parsed = datetime.fromisoformat(records.iso(ms).replace("Z", "+00:00"))
    assert round((parsed - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000) == ms


def test_an_anomaly_lists_its_five_strongest_sensors_in_order():
    record = anomaly()
    assert [sensor["sensor"] for sensor in record["sensors"]] == ["s3", "s1", "s4", "s5", "s0"]
    assert record["sensors"][1] == {
        "sensor": "s1", "contribution": 0.3, "value": None, "forecast": 2.1, "unit": "bar",
    }  # fmt: skip
    assert list(record) == [
        "schema", "id", "site", "asset", "class", "state", "start", "detected", "end", "reason", "score",
        "peak", "severity", "sensors", "model",
    ]  # fmt: skip


def test_the_id_depends_only_on_site_asset_class_and_start():
    opened, closed = anomaly(), anomaly(kind="closed", end=START + 9_000, reason="recovered", peak=9.0)
    assert opened["id"] == closed["id"] == records.anomaly_id("plant", "pump-1", "pump", START)
    assert anomaly(start=START + 1)["id"] != opened["id"]
    assert records.anomaly_id("plant", "pump-1", "pump", START) == "e0f09de3f3180451"
    assert records.anomaly_id("a", "bc", "d", 1) != records.anomaly_id("ab", "c", "d", 1)


@pytest.mark.parametrize("peak, word", [(1.01, "low"), (1.99, "low"), (2, "medium"), (4, "high")])
def test_severity_follows_the_peak(peak, word):
    assert anomaly(peak=peak)["severity"] == word


def test_records_are_compact_utf8_json_without_nan():
    assert records.dumps({"asset": "Pümpe", "x": [1, None]}) == '{"asset":"Pümpe","x":[1,null]}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.dumps({"x": math.nan})


@settings(deadline=None)  # a busy machine is not a failure
@given(
    asset=st.text(st.characters(exclude_categories=["Cs"])),
    ts=st.integers(0, 4 * 10**12),
    score=st.one_of(st.floats(width=32), st.just(math.nan)),
    readings=st.integers(0, 1000),
    bad=st.integers(0, 1000),
    version=st.one_of(st.none(), st.integers(1, 10**6)),
)
def test_the_fast_score_formatter_matches_json(asset, ts, score, readings, bad, version):
    fast = records.ScoreFormatter('pl"ant', "pümp", "pump\\model")
    record = records.score_record('pl"ant', asset, "pümp", ts, score, readings, bad, "pump\\model", version)
    assert fast(asset, ts, score, readings, bad, version) == records.dumps(record)


def test_a_dead_letter_keeps_the_payload_and_its_position():
    record = records.dead_letter("bad-json", "line 1", b'{"asset": \xff', "plant.readings", 2, 41)
    assert record == {
        "schema": "eugenie.deadletter.v1", "reason": "bad-json", "detail": "line 1",
        "payload": '{"asset": \\xff', "topic": "plant.readings", "partition": 2, "offset": 41,
    }  # fmt: skip


def test_a_dead_letter_always_fits_into_a_message():
    record = records.dead_letter("bad-json", "", b"\x00" * 2_000_000)
    assert len(records.dumps(record)) < 1_000_000
    assert record["detail"] == "(payload cut: 2000000 characters)"
    assert json.loads(records.dumps(record))["payload"] == "\x00" * records.PAYLOAD_LIMIT
    quoting = records.dead_letter("bad-timestamp", "\x00" * 2_000_000, b"\x00" * 2_000_000)
    assert len(records.dumps(quoting)) < 1_000_000
    assert quoting["detail"] == "\x00" * records.DETAIL_LIMIT + "… (payload cut: 2000000 characters)"
