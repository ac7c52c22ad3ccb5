"""The store of live readings: nothing that fits is lost, in order, over crashes and a full disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.bridge import spool as spool_module
from eugenie_cli.bridge.outbox import Outbox
from eugenie_cli.bridge.records import pack, records_of, unpack
from eugenie_cli.bridge.spool import Spool
from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading
from eugenie_cli.site.kafka import Kafka

STEPS = st.lists(st.sampled_from(["put", "put", "take", "deliver", "late", "crash"]), max_size=60)


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 60)


@pytest.mark.slow
@given(steps=STEPS, memory=st.sampled_from([1, 3, 100]))
def test_batches_leave_in_their_order_and_none_that_is_stored_is_lost(steps, memory):
    with tempfile.TemporaryDirectory() as folder:
        now = [0.0]

        def opened():
            return Outbox(Spool(Path(folder), 10**6), 2.0, memory, clock=lambda: now[0])

        outbox, number, taken, delivered, in_memory = opened(), 0, [], [], set()
        for step in steps:
            now[0] += 0.5
            if step == "put":
                stored = outbox.stored
                outbox.put([(b"a", str(number).encode())])
                if outbox.stored == stored:
                    in_memory.add(number)
                else:
                    in_memory.clear()
                number += 1
            elif step == "take" and (batch := outbox.take()) is not None:
                taken.append(batch)
            elif step == "deliver" and taken:
                done = taken.pop(0)
                outbox.delivered(done)
                delivered.append(int(done.records[0][1]))
                in_memory.discard(delivered[-1])
            elif step == "late":
                now[0] += 3.0
                outbox.keep()
                in_memory.clear()
            elif step == "crash":  # what is in memory alone is lost; what was delivered may come again
                lost, taken = set(in_memory), []
                outbox = opened()
                rest = list(range(number))
                outbox_holds = drained(outbox)
                assert sorted(set(rest) - set(outbox_holds) - set(delivered)) == sorted(lost)
                assert outbox_holds == sorted(outbox_holds)
                return
        assert delivered == sorted(delivered)
        while taken:
            done = taken.pop(0)
            outbox.delivered(done)
            delivered.append(int(done.records[0][1]))
        delivered += drained(outbox)
        assert delivered == list(range(number))
        assert outbox.readings == 0
        assert not list(Path(folder).glob("*.batches"))


def test_a_disk_without_room_for_another_file_keeps_what_it_has(tmp_path):
    spool = Spool(tmp_path / "store", 10**6)
    spool.append(b"a" * 60, 1)
    spool.sync()
    elsewhere = (tmp_path / "store").rename(tmp_path / "elsewhere")
    for _ in range(3):
        with pytest.raises(OSError, match="No such file"):
            spool.append(b"b", 1)
    elsewhere.rename(tmp_path / "store")
    spool.append(b"c", 1)
    assert [spool.take().content, spool.take().content, spool.take()] == [b"a" * 60, b"c", None]


def drained(outbox):
    numbers = []
    while (batch := outbox.take()) is not None:
        numbers.append(int(batch.records[0][1]))
        outbox.delivered(batch)
    return numbers


def test_what_is_closed_waits_for_the_next_run(tmp_path):
    outbox = Outbox(Spool(tmp_path, 10**6), 2.0)
    for number in range(5):
        outbox.put([(b"a", str(number).encode())])
    outbox.delivered(outbox.take())
    outbox.take()
    assert outbox.close() == (4, 0)
    again = Outbox(Spool(tmp_path, 10**6), 2.0)
    assert again.readings == 4
    assert drained(again) == [1, 2, 3, 4]


def test_the_oldest_are_lost_when_the_store_is_full_and_counted(tmp_path):
    outbox = Outbox(Spool(tmp_path, 400), 2.0, memory=0)
    for number in range(40):
        outbox.put([(b"a", b"%02d" % number)])
    outbox.keep()
    left = drained(outbox)
    assert left == list(range(40 - len(left), 40))
    assert outbox.lost == 40 - len(left) > 0


def test_a_batch_that_was_cut_off_is_left_out(tmp_path):
    spool = Spool(tmp_path, 10**6)
    spool.append(b"whole", 1)
    spool.append(b"cut off", 1)
    spool.close()
    file = next(tmp_path.glob("*.batches"))
    file.write_bytes(file.read_bytes()[:-1])
    again = Spool(tmp_path, 10**6)
    assert (again.readings, again.take().content, again.take()) == (1, b"whole", None)


def test_a_full_disk_loses_what_comes_and_keeps_what_is_stored(tmp_path, monkeypatch):
    outbox = Outbox(Spool(tmp_path, 10**6), 2.0, memory=0)
    outbox.put([(b"a", b"0")])

    def full(content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outbox.spool, "append", lambda content, readings, may_push_out: full(content))
    outbox.put([(b"a", b"1")])
    assert (outbox.lost, outbox.full) == (1, "No space left on device")
    assert drained(outbox) == [0]


def test_a_full_disk_loses_nothing_that_memory_has_room_for(tmp_path, monkeypatch):
    outbox, settled = Outbox(Spool(tmp_path, 10**6), 0.0, memory=2), []
    append = outbox.spool.append

    def full(content, readings, may_push_out):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outbox.spool, "append", full)
    for number in range(4):
        outbox.put([(b"a", b"%d" % number)], lambda number=number: settled.append(number))
        outbox.keep()
    assert (outbox.lost, settled) == (2, [0, 1])
    monkeypatch.setattr(outbox.spool, "append", append)
    outbox.keep()
    assert (outbox.full, settled) == (None, [0, 1, 2, 3])
    assert drained(outbox) == [2, 3]


@pytest.mark.parametrize("limit", [1, 10**6])
def test_a_source_that_waits_loses_nothing_for_want_of_room(tmp_path, monkeypatch, limit):
    """Neither when the store is full, nor when the disk is."""
    outbox, settled = Outbox(Spool(tmp_path, limit), 2.0, memory=3, waits=True), []

    def put(number):
        outbox.put([(b"a", b"%d" % number)], lambda: settled.append(number))

    if limit > 1:

        def full(content, readings, may_push_out):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(outbox.spool, "append", full)
    count = 0
    while outbox.has_room:
        put(count)
        count += 1
    outbox.keep()
    assert outbox.full in ("the store is full", "No space left on device")
    assert settled == list(range(outbox.spool.readings))
    if limit > 1:
        assert outbox.close() == (0, count)
    else:
        assert drained(outbox) == list(range(count))
        assert settled == list(range(count))
    assert outbox.lost == 0


@pytest.mark.slow
@given(steps=STEPS, memory=st.sampled_from([0, 1, 3, 100]), waits=st.booleans(), limit=st.sampled_from([1, 200, 10**6]))
def test_batches_settle_in_their_order_when_they_are_safe(steps, memory, waits, limit):
    """What is settled has been delivered, is on disk, or was given up, which only happens if the source cannot wait."""
    with tempfile.TemporaryDirectory() as folder:
        now, settled, taken, delivered, number = [0.0], [], [], set(), 0
        outbox = Outbox(Spool(Path(folder), limit), 2.0, memory, clock=lambda: now[0], waits=waits)
        for step in steps:
            now[0] += 0.5
            if step == "put" and (outbox.has_room or not waits):
                outbox.put([(b"a", b"%d" % number)] * (number % 3 > 0), lambda number=number: settled.append(number))
                number += 1
            elif step == "take" and (batch := outbox.take()) is not None:
                taken.append(batch)
            elif step == "deliver" and taken:
                done = taken.pop(0)
                outbox.delivered(done)
                delivered.add(int(done.records[0][1]))
            elif step == "late":
                now[0] += 3.0
                outbox.keep()
        assert settled == list(range(len(settled)))
        outbox.spool.close()
        on_disk = set(drained(Outbox(Spool(Path(folder), 10**6), 2.0)))
        unsafe = {one for one in settled if one % 3 > 0} - delivered - on_disk
        outbox.keep()
        assert len(unsafe) == 0 or (not waits and outbox.lost > 0)
        assert outbox.lost == 0 or not waits


VALUES = st.floats(allow_infinity=False, width=64)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from([("p1", "flow"), ('p"2', "Ä\\ flow")]), st.integers(0, 10**13), VALUES)))
def test_the_stream_reads_what_the_bridge_writes(readings):
    batch = Batch.of((*series, ts, value) for series, ts, value in readings)
    records = unpack(pack(records_of(batch)))
    read = compile_payload(Kafka().readings.model_dump(mode="json"), "Europe/Berlin")
    found = [read(value) for _, value in records]
    for ((asset, sensor), ts, value), (got,) in zip(readings, found, strict=True):
        good = value == value and abs(value) <= 3.4028234663852886e38
        assert got[:4] == (asset, sensor, None, ts)
        assert got == Reading(asset, sensor, None, ts, value, True) if good else not got.good
    assert [key.decode() for key, _ in records] == [asset for (asset, _), _, _ in readings]
