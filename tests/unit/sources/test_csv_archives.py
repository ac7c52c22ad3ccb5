"""Exports in zip archives: each file in an archive is an item of its own."""

from __future__ import annotations

import gzip
import re
import zipfile
from pathlib import Path

import pytest
from support.history_sites import pump_site

from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.files.archives import split_pattern, without_archives
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import history_view

HEADER = "ts,flow\n"
READINGS = {"shape": "wide", "asset": {"file": "{stem}"}}


def row(second: int, value: float) -> str:
    return f"2026-01-03T06:00:{second:02}Z,{value}\n"


def write(path: Path, files: dict[str, str | bytes]) -> None:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def imported(folder: Path, path: str = "exports/*", readings: dict = READINGS):
    site = pump_site(folder, [{"name": "s", "type": "csv", "path": path, "readings": readings}])
    (report,) = import_sources(site)
    return report, open_history(site)


def test_each_file_of_an_archive_is_an_item(tmp_path):
    packed = gzip.compress((HEADER + row(2, 3)).encode())
    write(
        tmp_path / "exports/week 1.zip",
        {
            "p1.csv": HEADER + row(0, 1),
            "sub/p2.csv": "ts,FT-2\n" + row(1, 2),
            "q/p1.csv.gz": packed,
            "__MACOSX/._p1": "x",
        },
    )
    report, history = imported(tmp_path)
    assert (report.new, report.readings, report.failed) == (3, 3, [])
    assert set(history.items("s")) == {f"exports/week 1.zip/{name}" for name in ("p1.csv", "q/p1.csv.gz", "sub/p2.csv")}
    assert imported(tmp_path)[0].unchanged == 3
    write(tmp_path / "exports/week 1.zip", {"p1.csv": HEADER + row(0, 1), "sub/p2.csv": "ts,FT-2\n" + row(1, 9)})
    report, history = imported(tmp_path)
    assert (report.unchanged, report.changed) == (1, 1)
    (left,) = history_view(
        pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "exports/*", "readings": READINGS}]), history
    ).left
    assert (left.item, left.why) == ("exports/week 1.zip/q/p1.csv.gz", "it is no longer in its archive")


@pytest.mark.parametrize(
    ("path", "count"),
    [("exports/*.zip/*.csv", 1), ("exports/*.zip/**/*.csv", 2), ("exports/a.zip/sub/*", 2), ("exports/a.zip", 3)],
)
def test_a_path_leads_into_archives(tmp_path, path, count):
    files = {"p1.csv": HEADER + row(0, 1), "sub/p1.csv": HEADER + row(1, 2), "sub/p1.txt": HEADER + row(2, 3)}
    write(tmp_path / "exports/a.zip", files)
    report, _ = imported(tmp_path, path)
    assert (report.new, report.readings) == (count, count)


def test_the_name_of_an_archive_can_be_the_asset(tmp_path):
    for asset in ("p1", "p2"):
        write(tmp_path / f"exports/{asset}.zip", {"export.csv": "ts,flow,FT-2\n" + row(0, 1).replace("1\n", "1,1\n")})
    report, history = imported(tmp_path, readings={"shape": "wide", "asset": {"file": "{parent}"}})
    assert report.failed == []
    assert history.assets() == ("p1", "p2")


def test_a_file_that_was_packed_is_not_imported_twice(tmp_path):
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/p1.csv").write_text(HEADER + row(0, 1))
    assert imported(tmp_path)[0].new == 1
    (tmp_path / "exports/p1.csv").unlink()
    write(tmp_path / "exports/a.zip", {"p1.csv": HEADER + row(0, 1)})
    report, history = imported(tmp_path)
    assert (report.new, report.unchanged, report.moved) == (0, 1, 1)
    assert set(history.items("s")) == {"exports/a.zip/p1.csv"}


def test_a_damaged_file_of_an_archive_fails_alone(tmp_path):
    path = tmp_path / "exports/a.zip"
    write(
        path,
        {
            "p1.csv": HEADER + "".join(row(second, second / 7) for second in range(60)),
            "p2.csv": "ts,FT-2\n" + row(0, 1),
        },
    )
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    report, _ = imported(tmp_path)
    assert (report.new, len(report.failed)) == (1, 1)
    assert re.search(r"a\.zip/p1\.csv is damaged: .*copy or export the archive again", report.failed[0])


def test_an_encrypted_file_is_said(tmp_path):
    path = tmp_path / "exports/a.zip"
    write(path, {"p1.csv": HEADER, "p2.csv": "ts,FT-2\n" + row(0, 1)})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(signature) + offset] |= 1
    path.write_bytes(content)
    report, _ = imported(tmp_path)
    assert re.search(r"a\.zip/p1\.csv is encrypted \(next: unpack the archive", report.failed[0])


def test_patterns_and_names():
    assert split_pattern(Path("x/*.csv")) == (Path("x/*.csv"), None)
    assert split_pattern(Path("x/*.zip/**/a.csv")) == (Path("x/*.zip"), "**/a.csv")
    assert without_archives(Path("x/a.zip/b/c.csv")) == Path("x/a/b/c.csv")
