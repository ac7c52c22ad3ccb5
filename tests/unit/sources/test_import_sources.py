"""`eugenie import`: new items are read, unchanged ones are skipped, and one that fails does not stop the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import history_view, import_notes, import_rows

WIDE = {"shape": "wide", "asset": {"file": "{stem}"}}


def export(folder: Path, asset: str, *rows: str) -> Path:
    path = folder / "exports" / f"{asset}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["ts,flow,pressure", *rows]) + "\n")
    return path


def site_of(folder: Path, **readings):
    source = {"name": "s", "type": "csv", "path": "exports/*.csv", "readings": {**WIDE, **readings}}
    return pump_site(folder, [source])


def flows(site, asset: str) -> list[float]:
    readings = open_history(site).read(asset)
    return readings.value[readings.sensor == readings.names.index("flow")].tolist()


def test_a_second_import_changes_nothing(tmp_path):
    export(tmp_path, "p1", "2026-01-03T06:00:00Z,1,2")
    site = site_of(tmp_path)
    (first,) = import_sources(site)
    before = open_history(site).fingerprint(), {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}
    (second,) = import_sources(site)
    after = open_history(site).fingerprint(), {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}
    assert (first.new, first.unchanged, first.readings) == (1, 0, 2)
    assert (second.new, second.unchanged, second.readings) == (0, 1, 2)
    assert before == after


def test_a_touched_file_with_the_same_content_is_unchanged(tmp_path):
    path = export(tmp_path, "p1", "2026-01-03T06:00:00Z,1,2")
    site = site_of(tmp_path)
    import_sources(site)
    os.utime(path, (0, 0))
    assert import_sources(site)[0].unchanged == 1
    assert import_sources(site)[0].unchanged == 1  # its new modification time is recorded


def test_a_changed_file_replaces_its_own_readings(tmp_path):
    export(tmp_path, "p1", "2026-01-03T06:00:00Z,1,2", "2026-01-03T06:00:01Z,5,2")
    export(tmp_path, "p2", "2026-01-03T06:00:00Z,3,2")
    site = site_of(tmp_path)
    import_sources(site)
    export(tmp_path, "p1", "2026-01-03T06:00:00Z,7,2")
    (report,) = import_sources(site)
    assert (report.new, report.changed, report.unchanged) == (0, 1, 1)
    assert flows(site, "p1") == [7.0]
    assert flows(site, "p2") == [3.0]


def test_a_changed_mapping_reads_the_files_again(tmp_path):
    export(tmp_path, "p1", "2026-01-03T06:00:00,1,2")
    import_sources(site_of(tmp_path))
    site = site_of(tmp_path, ts={"path": "ts", "timezone": "UTC"})
    (report,) = import_sources(site)
    assert report.changed == 1
    assert open_history(site).read("p1").ts[0] == 1767420000000  # an hour later than Berlin's 06:00


def test_again_reads_unchanged_files_too(tmp_path):
    export(tmp_path, "p1", "2026-01-03T06:00:00Z,1,2")
    import_sources(site_of(tmp_path))
    assert import_sources(site_of(tmp_path), again=True)[0].changed == 1


def test_a_file_that_fails_does_not_stop_the_others_and_keeps_its_readings(tmp_path):
    export(tmp_path, "p1", "2026-01-03T06:00:00Z,1,2")
    export(tmp_path, "p2", "2026-01-03T06:00:00Z,3,2")
    site = site_of(tmp_path)
    import_sources(site)
    (tmp_path / "exports" / "p1.csv").write_text("time;flow\n1;2\n")
    export(tmp_path, "p2", "2026-01-03T06:00:00Z,4,2")
    (report,) = import_sources(site)
    assert len(report.failed) == 1
    assert "no column 'ts'" in report.failed[0]
    assert flows(site, "p1") == [1.0]
    assert flows(site, "p2") == [4.0]
    assert any("p1.csv" in note for note in import_notes([report]))


def test_nothing_readable_is_an_error(tmp_path):
    with pytest.raises(EugenieError, match="no file matches"):
        import_sources(site_of(tmp_path))
    with pytest.raises(EugenieError, match="no source x"):
        import_sources(site_of(tmp_path), ["x"])
    with pytest.raises(EugenieError, match="has no sources"):
        import_sources(pump_site(tmp_path))


def test_the_report_counts_and_shows_rejections(tmp_path):
    export(tmp_path, "p1", "2026-01-03T06:00:00Z,1,Bad Input", "soon,1,2", "2026-01-03T06:00:01Z,open,3")
    (tmp_path / "exports" / "p2.csv").write_text("ts,flow,noise\n2026-01-03T06:00:05Z,1,9\n")
    site = site_of(tmp_path)
    for _ in range(2):  # also when everything is unchanged
        (report,) = import_sources(site)
        assert dict(report.rejected) == {"bad-timestamp": 1, "bad-value": 1}
        assert (report.readings, report.bad_quality) == (4, 1)
        assert report.unknown_columns == {"noise": 1}
        assert report.examples["bad-timestamp"][0].startswith("p1.csv:3: ")
    notes = "\n".join(import_notes([report]))
    assert "noise" in notes
    assert "p1.csv:4: flow: 'open'" in notes
    (row,) = import_rows([report])
    assert row[5:] == (
        "4",
        "1",
        "1 bad-timestamp, 1 bad-value",
        "2026-01-03T06:00:00Z",
        "2026-01-03T06:00:05Z",
    )
    view = history_view(site, open_history(site))
    assert [(asset.asset, asset.readings) for asset in view.assets] == [("p1", 3), ("p2", 1)]
