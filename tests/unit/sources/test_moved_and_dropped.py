"""Imported items that were moved, removed, or read with other settings: recognized, reported, or dropped."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support.history_sites import pump_site

from eugenie_cli.history.dropping import plan_drop
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.leftovers import leftover_notes, leftovers
from eugenie_cli.sources.tables import history_view, import_notes

WIDE = {"shape": "wide", "asset": {"const": "p1"}}
STEM = {"shape": "wide", "asset": {"file": "{stem}"}}
NEW_STATE = ("names", "records", "lost", "companions")  # in an item's state only since version 1


def export(folder: Path, name: str, second: int = 0, value: int = 1) -> Path:
    path = folder / "exports" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"ts,flow,pressure\n2026-01-03T06:00:{second:02d}Z,{value},100\n")
    return path


def site_of(folder: Path, readings=WIDE, name: str = "s", path: str = "exports/*.csv"):
    return pump_site(folder, [{"name": name, "type": "csv", "path": path, "readings": readings}])


def as_before(folder: Path) -> None:
    """Turn a history into what version 0 wrote: items with absolute paths and a smaller state."""
    (manifest,) = folder.glob(".eugenie/*/history/manifest.json")
    document = json.loads(manifest.read_text())
    for source, items in document["sources"].items():
        document["sources"][source] = {str(folder / key): item for key, item in items.items()}
        for item in items.values():
            for name in NEW_STATE:
                del item["state"][name]
    manifest.write_text(json.dumps(document))


def held(site) -> dict[str, list[str]]:
    return {source: sorted(items) for source, items in open_history(site).sources().items()}


def values(site, asset="p1") -> dict[str, list[float]]:
    readings = open_history(site).read(asset)
    return {name: readings.value[readings.sensor == index].tolist() for index, name in enumerate(readings.names)}


@pytest.mark.parametrize("before", [False, True], ids=["now", "as version 0 wrote it"])
def test_an_existing_history_is_used_and_nothing_is_imported_twice(tmp_path, before):
    export(tmp_path, "a.csv")
    export(tmp_path, "b.csv", 1)
    site = site_of(tmp_path)
    import_sources(site)
    fingerprint = open_history(site).fingerprint()
    if before:
        as_before(tmp_path)
    (report,) = import_sources(site)
    assert (report.new, report.changed, report.unchanged, report.moved, report.left) == (0, 0, 2, 0, [])
    assert held(site) == {"s": ["exports/a.csv", "exports/b.csv"]}
    assert open_history(site).fingerprint() == fingerprint
    assert import_sources(site)[0].unchanged == 2


@pytest.mark.slow
@pytest.mark.parametrize("before", [False, True], ids=["now", "as version 0 wrote it"])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("keep_old", [False, True])
@pytest.mark.parametrize("grown", [False, True])
def test_a_folder_that_moved_gives_the_right_values(tmp_path, before, again, keep_old, grown):
    old, new = tmp_path / "old", tmp_path / "new"
    export(old, "a.csv")
    swapped = {**WIDE, "ignore": ["pressure"]}
    import_sources(site_of(old, swapped))
    if before:
        as_before(old)
    shutil.copytree(old, new, copy_function=shutil.copy2)
    if not keep_old:
        shutil.rmtree(old)
    if grown:
        export(new, "a.csv", value=7)
    site = site_of(new)
    assert any("other settings" in left.why for left in leftovers(site, open_history(site).sources()))
    (report,) = import_sources(site, again=again)
    assert (report.new, report.changed, report.left) == (0, 1, [])
    assert values(site) == {"flow": [7.0 if grown else 1.0], "pressure": [100.0]}
    assert held(site) == {"s": ["exports/a.csv"]}
    assert import_sources(site)[0].unchanged == 1


def test_a_renamed_file_is_recognized_by_its_content(tmp_path):
    path = export(tmp_path, "a.csv")
    export(tmp_path, "same.csv")  # the same content, but not moved: it keeps its key
    site = site_of(tmp_path)
    import_sources(site)
    path.rename(path.with_name("z.csv"))
    (report,) = import_sources(site)
    assert (report.new, report.changed, report.unchanged, report.moved) == (0, 0, 2, 1)
    assert held(site) == {"s": ["exports/same.csv", "exports/z.csv"]}


@pytest.mark.parametrize("same", [False, True])
def test_a_file_with_the_name_of_a_removed_one_is_the_same_item_only_if_its_content_is(tmp_path, same):
    path = export(tmp_path / "2025", "a.csv")
    site = site_of(tmp_path, path="**/exports/*.csv")
    import_sources(site)
    path.unlink()
    export(tmp_path, "a.csv", 0 if same else 1)
    (report,) = import_sources(site)
    assert (report.new, report.moved) == ((0, 1) if same else (1, 0))
    assert values(site)["flow"] == ([1.0] if same else [1.0, 1.0])


@pytest.mark.parametrize("before", [False, True], ids=["now", "as version 0 wrote it"])
def test_a_file_renamed_to_another_asset_is_read_again(tmp_path, before):
    path = export(tmp_path, "p1.csv")
    site = site_of(tmp_path, STEM)
    import_sources(site)
    if before:
        as_before(tmp_path)
    path.rename(path.with_name("p2.csv"))
    (report,) = import_sources(site)
    assert (report.new, report.changed, report.moved) == (0, 1, 1)
    assert values(site) == {}
    assert values(site, "p2")["flow"] == [1.0]


@pytest.mark.parametrize("before", [False, True], ids=["now", "as version 0 wrote it"])
@pytest.mark.parametrize("again", [False, True])
def test_a_renamed_source_takes_its_files_with_it(tmp_path, before, again):
    export(tmp_path, "a.csv")
    naive = {**WIDE, "ts": {"path": "ts"}}
    import_sources(site_of(tmp_path, naive, "historian"))
    if before:
        as_before(tmp_path)
    site = site_of(tmp_path, {**naive, "ignore": ["pressure"]} if again else naive, "dcs")
    reports = import_sources(site)
    assert [report.source for report in reports] == ["dcs"]
    assert held(site) == {"dcs": ["exports/a.csv"]}
    assert values(site)["flow"] == [1.0]
    import_sources(site)  # removes files that no manifest names
    assert values(site)["flow"] == [1.0]
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_a_source_keeps_its_readings_when_another_of_the_same_files_is_removed(tmp_path):
    export(tmp_path, "a.csv")
    first, second = (
        {"name": name, "type": "csv", "path": "exports/*.csv", "readings": {**WIDE, "ignore": [ignored]}}
        for name, ignored in (("one", "flow"), ("two", "pressure"))
    )
    import_sources(pump_site(tmp_path, [first, second]))
    site = pump_site(tmp_path, [second])
    reports = import_sources(site)
    assert held(site) == {"one": ["exports/a.csv"], "two": ["exports/a.csv"]}
    assert [(report.source, [left.why for left in report.left]) for report in reports] == [
        ("two", []),
        ("one", ["its source is no longer in the site file"]),
    ]
    assert "eugenie history drop one" in "\n".join(import_notes(reports))


def test_leftovers_are_reported_at_each_import_with_the_next_step(tmp_path):
    export(tmp_path, "it's a.csv")
    export(tmp_path, "b.csv", 1)
    site = site_of(tmp_path)
    import_sources(site)
    (tmp_path / "exports" / "it's a.csv").unlink()
    narrowed = site_of(tmp_path, path="exports/c*.csv")
    export(tmp_path, "c.csv", 2)
    for _ in range(2):
        (report,) = import_sources(narrowed)
        assert {left.item: left.why for left in report.left} == {
            "exports/it's a.csv": "its file is gone",
            "exports/b.csv": "the source's `path` does not match it",
        }
        assert report.whole
    view = history_view(narrowed, open_history(narrowed))
    assert list(view.left) == report.left
    assert any("eugenie history drop s 'exports/it'\"'\"'s a.csv'" in note for note in leftover_notes(view.left))
    other = site_of(tmp_path, {**WIDE, "ts": {"path": "ts", "timezone": "UTC"}})
    assert any("other settings" in left.why for left in history_view(other, open_history(other)).left)


def test_a_drop_removes_readings_at_once_and_files_later(tmp_path):
    export(tmp_path, "a.csv")
    export(tmp_path, "b.csv", 1, 5)
    site = site_of(tmp_path)
    import_sources(site)
    history = open_history(site)
    plan = plan_drop(site, history, "s", ["exports/a.csv", str(tmp_path / "exports" / "b.csv"), "exports/no.csv"])
    assert (plan.items, plan.readings, plan.absent) == (("exports/a.csv", "exports/b.csv"), 4, ("exports/no.csv",))
    assert plan_drop(site, history, "nope").held == ("s",)
    assert plan_drop(site, history, "s", ["~$a.csv"]).absent == (
        "~$a.csv",
    )  # the name of a lock file, not a home directory
    history.drop("s", ["exports/a.csv"])
    history.drop("s", ["exports/a.csv"])  # nothing more to do
    assert values(site)["flow"] == [5.0]
    history.drop("s", plan_drop(site, history, "s").items)
    assert (history.sources(), values(site)) == ({}, {})
    history.vacuum()
    assert list(tmp_path.rglob("*.parquet")) == []
    assert import_sources(site)[0].new == 2


def test_an_old_file_of_a_source_that_is_being_imported_is_not_removed(tmp_path):
    export(tmp_path, "a.csv")
    site = site_of(tmp_path)
    import_sources(site)
    history = open_history(site)
    (history.root / "parts" / ".DS_Store").write_text("a file manager's")
    with history.writer("other") as writer:
        kept = history.root / "parts" / "other" / "half.parquet"
        kept.write_bytes(b"half")
        history.vacuum()
        assert kept.exists()
        del writer
    history.vacuum()
    assert not kept.exists()
    assert values(site)["flow"] == [1.0]


def test_a_file_whose_name_is_not_utf8_is_imported_and_reported(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.csv")
    (folder / name).write_text("ts,flow\n2026-01-03T06:00:00Z,1\nsoon,1\nsoon,1\n")
    (report,) = import_sources(site_of(tmp_path))
    assert report.poor == ["exports/caf\\udce9.csv: 2 of its 3 rows were rejected"]
    assert held(site_of(tmp_path)) == {"s": [f"exports/{name}"]}
