"""Several readings of one sensor and instant: the later export counts, in any order of imports, and disagreements are
reported.
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site

from eugenie_cli.history.batch import Batch, merge
from eugenie_cli.history.overlaps import KEPT, look
from eugenie_cli.history.quality import assess
from eugenie_cli.history.site_history import open_history
from eugenie_cli.history.store import History
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import import_notes

LONG = {
    "asset": {"path": "a"},
    "sensor": {"path": "s"},
    "ts": {"path": "t"},
    "value": {"path": "v"},
    "quality": {"path": "q"},
}


def write(folder: Path, name: str, rows: list[tuple[str, str, object, str]], written_s: int) -> None:
    """`rows`: asset, second of a minute, value, quality of `flow`; `written_s`: the file's modification time."""
    path = folder / "exports" / name
    path.parent.mkdir(exist_ok=True)
    lines = [f"{asset},flow,2026-01-03T06:00:{second}Z,{value},{quality}" for asset, second, value, quality in rows]
    path.write_text("\n".join(["a,s,t,v,q", *lines]) + "\n")
    os.utime(path, (written_s, written_s))


def site_in(folder: Path, *patterns: str):
    sources = [
        {"name": "of-" + pattern.strip("*."), "type": "csv", "path": f"exports/{pattern}", "readings": LONG}
        for pattern in patterns or ["*.csv"]
    ]
    return pump_site(folder, sources)


def flow(site, asset: str = "p1") -> list[float | None]:
    readings = open_history(site).read(asset)
    return [None if math.isnan(value) else value for value in readings.value.tolist()]


def quality_of(site, asset: str = "p1"):
    return next(sensor for sensor in assess(site, open_history(site), [asset]).sensors if sensor.sensor == "flow")


# second 0: two values; 1: the same value; 2: later marked bad; 3: bad at first; 4, 5: one export only
OLDER = [
    ("p1", "00", 9, "good"),
    ("p1", "01", 2, "good"),
    ("p1", "02", 3, "good"),
    ("p1", "03", 4, "bad"),
    ("p1", "04", 5, "good"),
]
NEWER = [
    ("p1", "00", 1, "good"),
    ("p1", "01", 2, "good"),
    ("p1", "02", 3, "bad"),
    ("p1", "03", 4, "good"),
    ("p1", "05", 6, "good"),
]
EXPECTED = [1.0, 2.0, None, 4.0, 5.0, 6.0]


@pytest.mark.slow
@pytest.mark.parametrize("steps", [["old", "new"], ["new", "old"], ["old+new"]], ids=" then ".join)
@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
@pytest.mark.parametrize("patterns", [("*.csv",), ("a.csv", "b.csv")], ids=["one source", "two sources"])
def test_the_later_export_counts_in_any_order_of_imports(tmp_path, steps, names, patterns):
    fingerprints = set()
    for step in steps:
        for export in step.split("+"):
            if export == "old":
                write(tmp_path, names[0], OLDER, 1_000)
            else:
                write(tmp_path, names[1], NEWER, 2_000)
        site = site_in(tmp_path, *(p for p in patterns if p == "*.csv" or (tmp_path / "exports" / p).exists()))
        reports = import_sources(site)
    for _again in range(2):
        assert flow(site) == EXPECTED
        assert [report.conflicts for report in reports] == [2] * len(reports)
        assert [report.repeated for report in reports] == [0] * len(reports)
        assert (quality_of(site).conflicts, quality_of(site).repeated) == (2, 4)
        fingerprints.add(open_history(site).fingerprint())
        reports = import_sources(site)
    assert len(fingerprints) == 1
    assert any("readings of one sensor disagree at 2 instants" in note for note in import_notes(reports))


def test_a_file_that_is_touched_or_read_again_keeps_its_age(tmp_path):
    write(tmp_path, "a.csv", OLDER, 1_000)
    write(tmp_path, "b.csv", NEWER, 2_000)
    site = site_in(tmp_path)
    import_sources(site)
    before = open_history(site).fingerprint()
    os.utime(tmp_path / "exports" / "a.csv", (9_000, 9_000))
    for again in (False, True):
        import_sources(site, again=again)
        assert flow(site) == EXPECTED
        assert open_history(site).fingerprint() == before
    write(tmp_path, "a.csv", [("p1", "00", 7, "good")], 9_000)  # exported again: now it is the later one
    import_sources(site)
    assert flow(site)[0] == 7.0
    assert open_history(site).fingerprint() != before


def test_readings_that_share_an_instant_in_one_file_are_counted_and_reported(tmp_path):
    good = [("p1", "00", 2.41), ("p1", "00", 2.43), ("p1", "01", 1), ("p1", "01", 1), ("p1", "02", 5), ("p2", "00", 3)]
    write(tmp_path, "a.csv", [*((*reading, "good") for reading in good), ("p1", "02", 1, "bad")], 1)
    site = site_in(tmp_path)
    (report,) = import_sources(site)
    assert (report.repeated, report.conflicts, report.readings) == (3, 1, 7)
    assert flow(site) == [2.43, 1.0, 5.0]
    notes = "\n".join(import_notes([report]))
    assert "3 readings had the same sensor and instant as another in the same file" in notes
    assert "readings of one sensor disagree at 1 instant:" in notes
    assert (quality_of(site).repeated, quality_of(site).conflicts) == (3, 1)
    assert (quality_of(site, "p2").repeated, quality_of(site, "p2").conflicts) == (0, 0)


def test_exports_that_agree_or_do_not_overlap_give_no_note(tmp_path):
    write(tmp_path, "a.csv", [("p1", "00", 1, "good"), ("p1", "02", 2, "good")], 1)
    write(tmp_path, "b.csv", [("p1", "01", 3, "good"), ("p1", "02", 2, "good"), ("p2", "00", 9, "good")], 2)
    (report,) = import_sources(site_in(tmp_path))
    assert (report.repeated, report.conflicts) == (0, 0)
    assert not [note for note in import_notes([report]) if "disagree" in note or "same sensor and instant" in note]


def test_results_of_comparing_overlaps_are_kept_and_recomputed_if_lost(tmp_path, monkeypatch):
    write(tmp_path, "a.csv", OLDER, 1_000)
    write(tmp_path, "b.csv", NEWER, 2_000)
    site = site_in(tmp_path)
    import_sources(site)
    kept = open_history(site).root / KEPT
    for damage in (kept.unlink, lambda: kept.write_text("{"), lambda: kept.write_text('{"x": 1}')):
        damage()
        assert import_sources(site)[0].conflicts == 2
    monkeypatch.setattr("eugenie_cli.history.overlaps.read_part", None)  # overlaps are not compared again
    assert import_sources(site)[0].conflicts == 2


def test_two_imports_that_end_at_once_both_keep_their_results(tmp_path, monkeypatch):
    write(tmp_path, "a.csv", OLDER, 1_000)
    write(tmp_path, "b.csv", NEWER, 2_000)
    site = site_in(tmp_path)
    import_sources(site)
    history, on_disk = open_history(site), os.fsync
    (history.root / KEPT).unlink()

    def meanwhile(handle):
        monkeypatch.setattr(os, "fsync", on_disk)
        look(history.root, history.snapshot())
        on_disk(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    assert look(history.root, history.snapshot()).conflicts == {"of-csv": 2}
    assert [path.name for path in history.root.glob(f"*{KEPT}*")] == [KEPT]


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_an_unreadable_part_is_reported_and_undoes_no_import(tmp_path, harm):
    write(tmp_path, "a.csv", OLDER, 1_000)
    site = site_in(tmp_path)
    import_sources(site)
    (part,) = (open_history(site).root / "parts").rglob("*.parquet")
    part.unlink() if harm == "gone" else part.write_bytes(b"PAR1")
    write(tmp_path, "b.csv", NEWER, 2_000)
    (report,) = import_sources(site)
    assert (report.new, report.unchanged) == (1, 1)
    assert "overlapping exports could not be compared" in report.failed[0]
    (report,) = import_sources(site, again=True)
    assert (report.failed, report.conflicts, flow(site)) == ([], 2, EXPECTED)


def test_implausible_instants_are_reported_first(tmp_path):
    write(tmp_path, "a.csv", [("p1", "00", 1, "good"), ("p1", "00", 2, "good")], 1)
    (report,) = import_sources(site_in(tmp_path))
    assert not [note for note in import_notes([report], 1_800_000_000_000) if "clock" in note]
    first, *_ = import_notes([report], 1_700_000_000_000)
    assert "some readings are dated 2026-01-03T06:00:00Z, ahead of this machine's clock" in first
    (tmp_path / "exports" / "a.csv").write_text("a,s,t,v,q\np1,flow,46035.2083333333,1,good\n")
    source = {
        "name": "s",
        "type": "csv",
        "path": "exports/*.csv",
        "readings": {**LONG, "ts": {"path": "t", "unit": "s"}},
    }
    first, *_ = import_notes(import_sources(pump_site(tmp_path, [source])))
    assert "some readings are dated 1970-01-01T12:47:15Z, before 1990" in first


def test_a_file_at_one_instant_is_reported_first(tmp_path):
    """As when a column with the date alone was mapped; a snapshot of several sensors is no such file."""
    rows = "".join(f"p1,flow,2026-01-03T00:00:00Z,{value},good\n" for value in range(5))
    (tmp_path / "exports").mkdir(exist_ok=True)
    (tmp_path / "exports" / "a.csv").write_text("a,s,t,v,q\n" + rows)
    (report,) = import_sources(site_in(tmp_path))
    assert not report.whole
    first, *_ = import_notes([report])
    assert first.startswith("of-csv: exports/a.csv: all 5 readings are dated 2026-01-03T00:00:00Z: check `unit`")
    rows = "".join(f"p1,{sensor},2026-01-03T00:00:00Z,1,good\n" for sensor in ("flow", "pressure"))
    (tmp_path / "exports" / "a.csv").write_text("a,s,t,v,q\n" + rows)
    (report,) = import_sources(site_in(tmp_path))
    assert report.whole and report.implausible() == []


# -- any number of exports -------------------------------------------------------------------------------

READING = st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 6), st.sampled_from([1.0, 2.0, 3.0, float("nan")]))
EXPORTS = st.lists(st.lists(READING, min_size=1, max_size=8), min_size=1, max_size=4)


def by_hand(exports):
    """(sensor, ts) -> (value or None, whether readings disagree), and the readings repeated within exports."""
    groups: dict = {}
    for age, readings in enumerate(exports):
        for sensor, ts, value in readings:
            groups.setdefault((sensor, ts), []).append((age, value))
    merged = {}
    for key, readings in groups.items():
        good = [value for _, value in readings if value == value]
        last = [value for age, value in readings if age == max(age for age, _ in readings) and value == value]
        merged[key] = (max(last) if last else None, len(set(good)) > 1 or (bool(good) and not last))
    repeated = sum(len(readings) - len({(sensor, ts) for sensor, ts, _ in readings}) for readings in exports)
    return merged, repeated


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(exports=EXPORTS, run_rows=st.sampled_from([2, 3, 100]), order=st.randoms(use_true_random=False))
def test_any_exports_are_merged_like_the_reference(tmp_path_factory, exports, run_rows, order):
    expected, repeated = by_hand(exports)
    root = tmp_path_factory.mktemp("history")
    history = History(root, run_rows=run_rows)
    numbers = list(range(len(exports)))
    order.shuffle(numbers)
    for number in numbers:
        rows = [("a", *reading) for reading in exports[number]]
        order.shuffle(rows)
        batches = [Batch.of(rows[:3]), Batch.of(rows[3:])]
        history.commit("st"[number % 2], batches, key=str(number), state={"exported": number + 1})
    readings = history.read("a")
    values = {
        (readings.names[sensor], int(ts)): None if math.isnan(value) else value
        for sensor, ts, value in zip(readings.sensor, readings.ts, readings.value, strict=True)
    }
    assert values == {key: value for key, (value, _) in expected.items()}
    assert sum(readings.conflicts.values()) == sum(disagrees for _, disagrees in expected.values())
    assert sum(readings.repeated.values()) == sum(map(len, exports)) - len(expected)
    overlaps = history.look_into_overlaps()
    parts = [part for source in "st" for item in history.items(source).values() for part in item.parts]
    assert sum(part.repeated for part in parts) + sum(overlaps.repeated.values()) == repeated
    for parity, source in enumerate("st"):
        own = {(sensor, ts) for number, rows in enumerate(exports) if number % 2 == parity for sensor, ts, _ in rows}
        conflicts = sum(part.conflicts for item in history.items(source).values() for part in item.parts)
        conflicts += overlaps.conflicts.get(source, 0)
        assert conflicts == sum(disagrees for key, (_, disagrees) in expected.items() if key in own)
    shutil.rmtree(root)


def test_readings_of_one_age_are_merged_alike_in_any_order():
    rows = [(0, 1, 2.0, 1), (0, 1, math.nan, 1), (0, 1, 5.0, 0), (0, 1, 1.0, 1)]
    for permutation in itertools.permutations(rows):
        sensor, ts, value, age = (np.array(column) for column in zip(*permutation, strict=True))
        merged = merge(sensor.astype(np.int32), ts, value, age)
        assert (merged.value.tolist(), merged.conflict.tolist()) == ([2.0], [True])
