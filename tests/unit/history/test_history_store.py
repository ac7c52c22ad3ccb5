"""The store: sorted parts, one commit point, no loss and no partial reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history import manifest, store
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.store import History

NAN = float("nan")


def batch(*rows: tuple[str, str, int, float]) -> Batch:
    return Batch.of(rows)


def rows_of(history: History, asset: str, *span: int) -> list[tuple[str, int, float]]:
    readings = history.read(asset, *span)
    names = [readings.names[index] for index in readings.sensor]
    return sorted(zip(names, readings.ts.tolist(), readings.value.tolist(), strict=True))


def test_committed_readings_are_read_by_asset_and_time(tmp_path):
    history = History(tmp_path)
    history.commit("s", [batch(("a", "x", 3, 3.0), ("b", "x", 1, 9.0)), batch(("a", "y", 1, 1.5), ("a", "x", 1, 1.0))])
    assert rows_of(history, "a") == [("x", 1, 1.0), ("x", 3, 3.0), ("y", 1, 1.5)]
    assert rows_of(history, "a", 1, 3) == [("x", 1, 1.0), ("y", 1, 1.5)]  # the end is not included
    assert rows_of(history, "nobody") == []
    assert history.assets() == ("a", "b")


def test_a_history_that_does_not_exist_is_empty(tmp_path):
    history = History(tmp_path / "none")
    assert history.summary() == []
    assert rows_of(history, "a") == []


def test_parts_are_sorted_parquet_with_the_documented_columns(tmp_path):
    rng = np.random.default_rng(1)
    rows = [(f"a{rng.integers(3)}", f"s{rng.integers(3)}", int(rng.integers(50)), float(k)) for k in range(200)]
    item = History(tmp_path).commit("s", [batch(*rows), batch(("a0", "s0", 7, NAN))])
    table = pq.read_table(tmp_path / item.parts[0].file)
    assert [f"{field.name}: {field.type}" for field in table.schema] == [
        "asset: dictionary<values=string, indices=int32, ordered=0>",
        "sensor: dictionary<values=string, indices=int32, ordered=0>",
        "ts: timestamp[ms, tz=UTC]",
        "value: double",
        "quality: uint8",
    ]
    keys = list(zip(*(table.column(name).to_pylist() for name in ("asset", "sensor", "ts")), strict=True))
    assert keys == sorted(keys)
    quality = table.column("quality").to_numpy()
    assert (np.isnan(table.column("value").to_numpy()) == (quality == 0)).all()
    assert set(quality) == {0, 192}


def test_an_item_replaces_its_former_content_and_no_other_item(tmp_path):
    history = History(tmp_path)
    history.commit("s", [batch(("a", "x", 1, 1.0), ("a", "x", 2, 2.0))], key="one")
    history.commit("s", [batch(("a", "x", 5, 5.0))], key="two")
    history.commit("s", [batch(("a", "x", 1, 7.0))], key="one")
    assert rows_of(history, "a") == [("x", 1, 7.0), ("x", 5, 5.0)]


def test_overlapping_sources_give_one_reading_per_instant(tmp_path):
    history = History(tmp_path)
    history.commit("s", [batch(("a", "x", 1, NAN), ("a", "x", 2, 2.0))])
    history.commit("t", [batch(("a", "x", 1, 1.0), ("a", "x", 2, NAN), ("a", "x", 2, 1.0))])
    assert rows_of(history, "a") == [("x", 1, 1.0), ("x", 2, 2.0)]
    assert [(entry.asset, entry.readings, entry.sources) for entry in history.summary()] == [("a", 5, ("s", "t"))]


def test_more_readings_than_fit_into_memory_make_several_parts(tmp_path):
    rows = [("a", "x", ts, float(ts)) for ts in range(25)]
    item = History(tmp_path, run_rows=10).commit("s", [batch(*rows[:7]), batch(*rows[7:])])
    assert [part.rows for part in item.parts] == [7, 10, 8]
    assert rows_of(History(tmp_path), "a") == [("x", ts, float(ts)) for ts in range(25)]


def test_the_fingerprint_follows_the_readings(tmp_path):
    def history_of(name: str, value: float) -> str:
        history = History(tmp_path / name)
        history.commit("s", [batch(("a", "x", 1, value))])
        return history.fingerprint()

    assert history_of("one", 1.0) == history_of("two", 1.0)
    assert history_of("one", 1.0) != history_of("three", 2.0)


def test_items_finished_before_a_failure_are_kept_and_the_failed_one_is_unchanged(tmp_path):
    history = History(tmp_path)
    history.commit("s", [batch(("a", "x", 1, 1.0))], key="old")

    def failing_batches():
        yield batch(("a", "x", 1, 99.0))
        raise OSError("the disk failed")

    with pytest.raises(OSError, match="disk failed"), history.writer("s") as writer:
        writer.replace("new", [batch(("a", "x", 2, 2.0))])
        writer.replace("old", failing_batches())
    assert rows_of(history, "a") == [("x", 1, 1.0), ("x", 2, 2.0)]


def test_two_imports_of_one_source_exclude_each_other(tmp_path):
    history = History(tmp_path)
    with (
        history.writer("s"),
        history.writer("another"),
        pytest.raises(EugenieError, match="import of s is already running") as caught,
        history.writer("s"),
    ):
        pass
    assert caught.value.exit_code == ExitCode.REFUSED


def test_the_names_of_parts_are_on_disk_before_the_manifest_lists_them(tmp_path, monkeypatch):
    history, synced = History(tmp_path), []
    monkeypatch.setattr(store, "sync", lambda folder: synced.append((folder, history.sources())))
    history.commit("a", [batch(("p1", "flow", 1_000, 1.0))])
    history.drop("a", ["other"])  # writes no part
    assert synced == [(tmp_path / "parts" / "a", {})]


def test_commits_take_a_small_part_of_the_time_however_long_one_takes(tmp_path, monkeypatch):
    now = [0.0]

    def slowly(*_):
        committed.append(now[0])
        now[0] += 3.0

    committed: list[float] = []
    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(store, "update_manifest", slowly)
    with History(tmp_path).writer("a") as writer:
        for number in range(200):
            now[0] += 1.0
            writer.replace(str(number), [])
    assert committed[0] == store.COMMIT_INTERVAL_S
    assert np.diff(committed[:-1]).min() >= 3.0 * store.COMMITS_APART


def test_a_manifest_that_was_just_written_is_not_read_again_unless_another_process_replaces_it(tmp_path, monkeypatch):
    history, file = History(tmp_path), tmp_path / "manifest.json"
    history.commit("a", [batch(("p1", "flow", 1_000, 1.0))])
    text, sources = file.read_text(), history.sources()
    assert json.loads(text)["sources"].keys() == sources.keys()
    with monkeypatch.context() as patch:
        patch.setattr(manifest.json, "loads", None)
        assert history.sources() is sources
    other = tmp_path / "other"
    other.write_text(text.replace('"a":{', '"b":{'))
    other.replace(file)
    assert list(history.sources()) == ["b"]


def test_a_reader_keeps_its_snapshot_while_the_item_is_replaced(tmp_path):
    history = History(tmp_path)
    history.commit("s", [batch(("a", "x", 1, 1.0))])
    before = {path.name for path in tmp_path.rglob("*.parquet")}
    history.commit("s", [batch(("a", "x", 1, 2.0))])
    assert before < {path.name for path in tmp_path.rglob("*.parquet")}  # the old part still exists for its readers
    with history.writer("s"):
        pass
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_an_error_names_a_missing_part(tmp_path):
    history = History(tmp_path)
    item = history.commit("s", [batch(("a", "x", 1, 1.0))])
    (tmp_path / item.parts[0].file).unlink()
    with pytest.raises(EugenieError, match=item.parts[0].file):
        history.read("a")


@pytest.mark.parametrize("text", ["{", '{"schema": "eugenie.history.v9", "sources": {}}', '{"schema": 1}', "[]"])
def test_a_damaged_manifest_is_an_error_and_not_an_empty_history(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(EugenieError, match=r"manifest\.json"):
        History(tmp_path).assets()


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from eugenie_cli.history import store
    from eugenie_cli.history.batch import Batch

    store.COMMIT_INTERVAL_S = store.COMMITS_APART = 0
    history = store.History(Path(sys.argv[1]), run_rows=2000)
    with history.writer("s") as writer:
        for k in range(100_000):
            n = 5000
            ts = np.arange(n, dtype=np.int64) + k * n
            batch = Batch((("a", "x"),), np.zeros(n, np.int32), ts, ts.astype(float))
            writer.replace(f"file-{k}", [batch])
            print(k, flush=True)
    """
)


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.0, 0.013, 0.05])
def test_sigkill_loses_no_committed_item_and_leaves_no_partial_item(tmp_path, delay_s):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(8):
        last = int(process.stdout.readline())
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    last = int(rest[-1]) if rest else last

    history = History(tmp_path)
    readings = history.read("a")
    assert len(readings.ts) % 5000 == 0  # only complete files
    assert len(readings.ts) >= (last + 1) * 5000  # everything reported as committed
    np.testing.assert_array_equal(readings.ts, np.arange(len(readings.ts)))
    with history.writer("s"):  # the lock ended with its process
        pass
    committed = {
        part["file"]
        for item in json.loads((tmp_path / "manifest.json").read_text())["sources"]["s"].values()
        for part in item["parts"]
    }
    assert {str(path.relative_to(tmp_path)) for path in (tmp_path / "parts").rglob("*") if path.is_file()} == committed
