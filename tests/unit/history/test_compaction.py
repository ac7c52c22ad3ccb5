"""Compaction changes files, and nothing else: readings, items, fingerprint and counts stay, however often it runs."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history import manifest
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.compaction import compact
from eugenie_cli.history.store import History
from eugenie_cli.history.verification import verify

pytestmark = pytest.mark.slow

HOURS = 12


def hourly(root, hours: int = HOURS, source: str = "s") -> History:
    """Hourly exports of two assets; each repeats the last reading of the one before, with another value."""
    history = History(root)
    with history.writer(source) as writer:
        for hour in range(hours):
            ts = range(hour * 60, hour * 60 + 61)
            rows = [(asset, sensor, t, hour + t / 1000) for asset in "ab" for sensor in "xy" for t in ts]
            state = {"exported": hour + 1}
            writer.replace(f"{hour}.csv", [Batch.of(rows)], lambda state=state: state)
    return history


def contents(history: History, *span: int) -> dict[tuple[str, str, int], float | None]:
    found = {}
    for asset in history.assets():
        readings = history.read(asset, *span)
        for sensor, ts, value in zip(readings.sensor, readings.ts, readings.value, strict=True):
            found[asset, readings.names[sensor], int(ts)] = None if math.isnan(value) else float(value)
    return found


def facts(history: History):
    """Everything that a compaction must not change."""
    items = {
        (source, key): (item.rows, item.bad, item.state, [(part.sha256, part.assets) for part in item.parts])
        for source, items in history.sources().items()
        for key, item in items.items()
    }
    counts = [(dict(r.repeated), dict(r.conflicts)) for r in map(history.read, history.assets())]
    return items, history.fingerprint(), history.summary(), history.look_into_overlaps(), counts


def files(history: History) -> list[str]:
    return sorted(path.name for path in history.root.rglob("*.parquet"))


def test_many_small_files_become_one_and_nothing_else_changes(tmp_path):
    history = hourly(tmp_path)
    before, readings, part = facts(history), contents(history), contents(history, 100, 300)
    report = compact(history, "s")
    assert (report.before, report.after, report.readings) == (HOURS, 1, HOURS * 4 * 61)
    assert history.vacuum(everything=True).files == HOURS
    assert (facts(history), contents(history), contents(history, 100, 300)) == (before, readings, part)
    assert len(files(history)) == 1
    assert compact(history, "s").readings == 0  # nothing more to do
    fresh = History(tmp_path)
    (tmp_path / "overlaps.json").unlink()
    assert facts(fresh) == before
    assert verify(fresh).damaged == ()


def test_a_merged_file_is_sorted_parquet_that_names_its_own_digest(tmp_path):
    history = hourly(tmp_path)
    compact(history, "s")
    (file,) = history.snapshot().by_file
    table = pq.read_table(tmp_path / file)
    names = ("asset", "sensor", "ts")
    keys = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    assert keys == sorted(keys)
    assert table.column_names == ["asset", "sensor", "ts", "value", "quality", "item"]
    assert verify(history).damaged == ()
    assert file.startswith("parts/s/merged-")


def test_dropped_and_replaced_items_do_not_come_back(tmp_path):
    history = hourly(tmp_path)
    compact(history, "s")
    history.drop("s", ["3.csv"])
    history.commit("s", [Batch.of([("a", "x", 301, -1.0)])], key="5.csv", state={"exported": 100})
    expected = contents(history)
    assert not any(180 < ts < 240 for _, _, ts in expected)
    assert [
        (ts, value) for _, _, ts, value in ((*key, value) for key, value in expected.items()) if 300 < ts < 360
    ] == [(301, -1.0)]
    for _ in range(2):
        compact(history, "s")
        history.vacuum(everything=True)
        assert contents(history) == expected
        assert "3.csv" not in history.items("s")
        assert verify(history).damaged == ()


def test_readings_that_no_longer_count_are_left_out_once_they_are_many(tmp_path):
    history = hourly(tmp_path)
    compact(history, "s")
    history.drop("s", ["0.csv"])
    assert compact(history, "s").readings == 0
    history.drop("s", [f"{hour}.csv" for hour in range(1, 6)])
    expected = contents(history)
    assert compact(history, "s").readings == 6 * 4 * 61
    (file,) = history.snapshot().by_file
    assert pq.read_metadata(tmp_path / file).num_rows == 6 * 4 * 61
    assert contents(history) == expected


def test_files_are_merged_up_to_a_limit_the_oldest_readings_first(tmp_path):
    history = hourly(tmp_path)
    rows = 4 * 61
    report = compact(history, "s", run_rows=5 * rows)
    spans = sorted(
        (min(placed.part.assets["a"].start for placed in placed_in), len(placed_in))
        for placed_in in history.snapshot().by_file.values()
    )
    assert (report.after, spans) == (3, [(0, 5), (300, 5), (600, 2)])


def test_an_item_of_another_source_is_left_alone(tmp_path):
    history = hourly(tmp_path)
    hourly(tmp_path, source="t")
    before = {file for file in history.snapshot().by_file if file.startswith("parts/t/")}
    compact(history, "s")
    assert {file for file in history.snapshot().by_file if file.startswith("parts/t/")} == before


def test_an_import_and_a_compaction_of_one_source_exclude_each_other(tmp_path):
    history = hourly(tmp_path)
    with history.writer("s"), pytest.raises(EugenieError, match="import of s is already running") as caught:
        compact(history, "s")
    assert caught.value.exit_code == ExitCode.REFUSED


def test_a_reader_keeps_its_snapshot_during_a_compaction_and_a_vacuum(tmp_path, monkeypatch):
    history = hourly(tmp_path)
    expected = contents(history)
    stale = history.sources()
    compact(History(tmp_path), "s")
    answers = [stale]  # the first look shows the state before the compaction, whose files are still there
    monkeypatch.setattr(
        "eugenie_cli.history.store.read_manifest", lambda path: answers.pop() if answers else real(path)
    )
    real = manifest.read_manifest
    assert history.read("a").ts.tolist() == sorted({ts for asset, _, ts in expected if asset == "a"}) * 2
    History(tmp_path).vacuum(everything=True)
    answers.append(stale)  # now they are gone: the reader looks again
    assert history.read("a").ts.tolist() == sorted({ts for asset, _, ts in expected if asset == "a"}) * 2


def test_a_commit_between_merge_and_move_is_kept(tmp_path, monkeypatch):
    """A renamed source takes over an item while its old source is compacted."""
    history = hourly(tmp_path)
    expected = contents(history)
    from eugenie_cli.history import compaction

    merge = compaction._merge

    def meanwhile(*given):
        moved = merge(*given)
        with History(tmp_path).writer("t") as writer:
            writer.keep("2.csv", History(tmp_path).items("s")["2.csv"], instead_of=[("s", "2.csv")])
        return moved

    monkeypatch.setattr(compaction, "_merge", meanwhile)
    compact(history, "s")
    assert contents(history) == expected
    assert set(history.items("t")) == {"2.csv"}
    history.drop("t", ["2.csv"])
    assert not any(120 < ts < 180 for _, _, ts in contents(history))


def test_only_a_history_with_merged_files_has_a_schema_that_older_versions_refuse(tmp_path):
    history = hourly(tmp_path)

    def schema() -> str:
        return json.loads((tmp_path / "manifest.json").read_text())["schema"]

    assert schema() == manifest.SCHEMA
    compact(history, "s")
    assert schema() == manifest.MERGED_SCHEMA
    history.drop("s", history.items("s"))
    assert (schema(), contents(history)) == (manifest.SCHEMA, {})


# -- any sequence of commits, drops and compactions ----------------------------------------------------------

READING = st.tuples(
    st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 9), st.sampled_from([1.0, 2.0, math.nan])
)
STEP = st.one_of(
    st.tuples(st.just("commit"), st.sampled_from("stuv"), st.lists(READING, max_size=6)),
    st.tuples(st.just("drop"), st.sampled_from("stuv"), st.just([])),
    st.tuples(st.sampled_from(["compact", "vacuum"]), st.just(""), st.just([])),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=10), run_rows=st.sampled_from([3, 8, 1000]))
def test_any_sequence_gives_what_it_gives_without_compactions(tmp_path_factory, steps, run_rows):
    root = tmp_path_factory.mktemp("history")
    plain, compacted = History(root / "plain", run_rows=4), History(root / "compacted", run_rows=4)
    for age, (what, key, rows) in enumerate(steps, 1):
        for history in (plain, compacted):
            if what == "commit":
                history.commit("s", [Batch.of(rows)] if rows else [], key=key, state={"exported": age})
            elif what == "drop":
                history.drop("s", [key])
            elif history is compacted and what == "compact":
                compact(history, "s", run_rows=run_rows)
            elif history is compacted:
                history.vacuum(everything=True)
        assert facts(compacted) == facts(plain)
        assert contents(compacted) == contents(plain)
        assert verify(compacted).damaged == ()
    shutil.rmtree(root)


def test_a_manifest_that_was_read_once_is_read_again_when_it_changes(tmp_path):
    history, other = History(tmp_path), History(tmp_path)
    for ts in range(20):
        other.commit("s", [Batch.of([("a", "x", ts, 1.0)])], key=str(ts))
        np.testing.assert_array_equal(history.read("a").ts, np.arange(ts + 1))
