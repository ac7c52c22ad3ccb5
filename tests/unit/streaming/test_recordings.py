"""The content and order of recordings: history in slices, JSON lines, a CSV export."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.store import History
from eugenie_cli.streaming import recordings
from eugenie_cli.streaming.recorded_files import history_of_file, of_json_lines
from eugenie_cli.streaming.recordings import Chosen, Recording, of_history
from eugenie_cli.streaming.replay import choose

ALL = Chosen(("p-1", "p-2", "f-1"))
READINGS = [
    ("p-2", "pressure", 5_000, 5.0),
    ("p-1", "pressure", 1_000, 1.0),
    ("p-1", "current", 3_000, np.nan),
    ("f-1", "speed", 3_000, 3.0),
    ("p-1", "pressure", 7_000, 7.0),
    ("p-2", "pressure", 2_000, 2.0),
]


def messages_of(recording: Recording) -> list[tuple[str, str, int]]:
    """(key, sensor, instant) of each message in the order of sending."""
    messages = []
    for stretch in recording.stretches():
        assert (np.diff(stretch.ts) >= 0).all()
        for place in range(len(stretch.ts)):
            key, payload = stretch.message(place)
            message = json.loads(payload)
            instant = int(np.datetime64(message["ts"][:-1], "ms").astype(np.int64))
            assert key == message["asset"] and instant == stretch.ts[place]
            messages.append((key, message["sensor"], instant))
    return messages


@pytest.fixture
def history(tmp_path) -> History:
    history = History(tmp_path / "history")
    history.commit("made", [Batch.of(READINGS)])
    return history


IN_ORDER = [
    ("p-1", "pressure", 1_000),
    ("p-2", "pressure", 2_000),
    ("p-1", "current", 3_000),
    ("f-1", "speed", 3_000),
    ("p-2", "pressure", 5_000),
    ("p-1", "pressure", 7_000),
]


@pytest.mark.parametrize("slice_readings", [1, 2, 1_000])
def test_history_comes_in_time_order_however_it_is_sliced(site_of, history, slice_readings, monkeypatch):
    monkeypatch.setattr(recordings, "SLICE_READINGS", slice_readings)
    recording = of_history(site_of(), history, ALL)
    assert messages_of(recording) == IN_ORDER
    assert (recording.start_ms, recording.end_ms) == (1_000, 7_000)


def test_a_part_of_the_history(site_of, history):
    assert messages_of(of_history(site_of(), history, Chosen(("p-1",), 2_000, 7_000))) == [("p-1", "current", 3_000)]
    for nothing in (Chosen(("f-1",), 9_000), Chosen(("p-1",), None, 1_000), Chosen(())):
        empty = of_history(site_of(), history, nothing)
        assert (empty.start_ms, messages_of(empty)) == (None, [])


LINES = [
    b'{"asset":"p-1","sensor":"pressure","ts":"1970-01-01T00:00:05Z","value":1}',
    b'{"asset":"p-1","sens',  # sent with the line before it
    b'{"tag":"IT-1.PV","ts":"1970-01-01T00:00:02.500Z","value":2}',
    b"",
    b'{"asset":"p-9","sensor":"pressure","ts":"1970-01-01T00:00:03Z","value":3}',
    b'{"asset":"p-2","sensor":"pressure","ts":"1970-01-01T00:00:09Z","value":"4,5"}',  # not a reading: as above
]


@pytest.fixture
def lines(tmp_path):
    file = tmp_path / "recorded.jsonl"
    file.write_bytes(b"not json\n" + b"\r\n".join(LINES))
    return file


def sent(recording: Recording) -> list[tuple[str | None, bytes]]:
    return [stretch.message(place) for stretch in recording.stretches() for place in range(len(stretch.ts))]


def test_lines_are_sent_unchanged_in_the_order_of_their_instants(site_of, lines):
    recording = of_json_lines(site_of(), lines, ALL)
    assert sent(recording) == [
        (None, b"not json"),
        ("p-1", LINES[2]),
        (None, LINES[4]),
        (None, LINES[5]),
        ("p-1", LINES[0]),
        (None, LINES[1]),
    ]
    assert (recording.start_ms, recording.end_ms) == (2_500, 5_000)


def test_a_part_of_the_lines(site_of, lines):
    assert sent(of_json_lines(site_of(), lines, Chosen(("p-2",), 3_000, 4_000))) == [(None, LINES[4]), (None, LINES[5])]


def test_a_file_without_readings_and_an_empty_file(site_of, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"no\nno\n")
    (tmp_path / "b.jsonl").write_bytes(b"")
    recording = of_json_lines(site_of(), tmp_path / "a.jsonl", ALL)
    assert (recording.start_ms, len(sent(recording))) == (None, 2)
    assert sent(of_json_lines(site_of(), tmp_path / "b.jsonl", ALL)) == []
    with pytest.raises(EugenieError, match="cannot be read"):
        of_json_lines(site_of(), tmp_path / "missing.jsonl", ALL)


def test_lines_become_a_history_and_rejected_records_are_counted(site_of, lines):
    with history_of_file(site_of(), lines, None) as read:
        assert sorted((span.asset, span.readings) for span in read.history.summary()) == [("p-1", 2)]
        assert dict(read.rejected) == {"bad-json": 2, "unknown-tag": 1, "bad-value": 1}
        root = read.history.root
    assert not root.exists()


CSV_SOURCE = {
    "name": "export",
    "type": "csv",
    "path": "exports/*.csv",
    "readings": {"shape": "wide", "ts": {"path": "time"}, "asset": {"file": "{stem}"}},
}


def test_a_csv_file_is_read_by_the_mapping_of_its_source(site_of, tmp_path):
    file = tmp_path / "p-1.csv"
    file.write_text("time,PT-1.PV,IT-1.PV\n1970-01-01T00:00:04Z,4.5,Bad\n1970-01-01T00:00:01Z,1.5,12\nnever,1,1\n")
    site = site_of(sources=[CSV_SOURCE])
    with history_of_file(site, file, None) as read:
        recording = of_history(site, read.history, ALL)
        assert sorted(messages_of(recording), key=lambda message: (message[2], message[1])) == [
            ("p-1", "current", 1_000),
            ("p-1", "pressure", 1_000),
            ("p-1", "current", 4_000),
            ("p-1", "pressure", 4_000),
        ]
        assert dict(read.rejected) == {"bad-timestamp": 1}


@pytest.mark.parametrize(
    ("sources", "name"),
    [([], None), ([CSV_SOURCE, {**CSV_SOURCE, "name": "other"}], None), ([CSV_SOURCE], "historian")],
)
def test_an_ambiguous_or_unknown_source_is_refused(site_of, tmp_path, sources, name):
    with (
        pytest.raises(EugenieError, match="source") as raised,
        history_of_file(site_of(sources=sources), tmp_path / "p-1.csv", name),
    ):
        pass
    assert raised.value.exit_code is ExitCode.USAGE


def test_options_choose_assets_and_times(site_of):
    site = site_of()
    assert choose(site).assets == ("p-1", "p-2", "f-1")
    assert choose(site, ["f-1"], ["pump"]).assets == ("f-1", "p-1", "p-2")
    assert choose(site, start="1970-01-01T00:00:01Z").start_ms == 1_000
    for wrong in ({"assets": ["p-3"]}, {"class_names": ["pumps"]}, {"start": "now"}):
        with pytest.raises(EugenieError) as raised:
            choose(site, **wrong)
        assert raised.value.exit_code is ExitCode.USAGE
    with pytest.raises(EugenieError, match="is not after"):
        choose(site, start="2026-01-02T00:00:00Z", end="2026-01-01T00:00:00Z")
