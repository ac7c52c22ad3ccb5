"""Files that a logger appends to: only what was added is read, and the history equals that of a fresh import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site

from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.csv import importer as csv_module
from eugenie_cli.sources.files import opening
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.report import SourceReport
from eugenie_cli.sources.tables import import_notes

WIDE = {"shape": "wide", "asset": {"const": "p1"}}
HEADER = b"ts,flow,note\r\n"


def row(second: int, flow: object = None, note: str = "") -> bytes:
    value = second if flow is None else flow
    return f"2026-01-03T06:{second // 60:02}:{second % 60:02}Z,{value},{note}\r\n".encode()


class Logger:
    """A site with one growing file. `age`: each change of the file makes it younger, as on a slow clock."""

    def __init__(self, folder: Path, **source: Any) -> None:
        self.site = pump_site(folder, [{"name": "s", "type": "csv", "path": "*.csv", "readings": WIDE, **source}])
        self.path, self.age = folder / "a.csv", 0

    def write(self, content: bytes) -> None:
        if not self.path.exists() or self.path.read_bytes() != content:
            self.path.write_bytes(content)
            self.age += 1
            os.utime(self.path, ns=(self.age, self.age))

    def append(self, content: bytes) -> None:
        self.write((self.path.read_bytes() if self.path.exists() else b"") + content)

    def imported(self) -> SourceReport:
        (report,) = import_sources(self.site)
        return report

    def history(self) -> dict[str, Any]:
        """What the history holds, and what the report says about it."""
        (report,) = import_sources(self.site)
        readings = open_history(self.site).read("p1")
        return {
            "readings": list(
                zip(readings.sensor.tolist(), readings.ts.tolist(), map(repr, readings.value.tolist()), strict=True)
            ),
            "rejected": report.rejected,
            "examples": report.examples,
            "columns": (report.unknown_columns, report.companions),
            "counts": (report.readings, report.bad_quality, report.conflicts, report.repeated, report.poor),
        }


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of bytes of each part of a file that is read after it has grown."""
    sizes: list[int] = []
    real = opening.opened_between

    def opened(path, start, end, advance):
        sizes.append(end - start)
        return real(path, start, end, advance)

    monkeypatch.setattr(csv_module, "opened_between", opened)
    return sizes


def fresh(folder: Path, content: bytes, **source: Any) -> dict[str, Any]:
    folder.mkdir()
    logger = Logger(folder, **source)
    logger.write(content)
    return logger.history()


def test_only_the_appended_lines_are_read(tmp_path, monkeypatch):
    sizes = counted(monkeypatch)
    logger = Logger(tmp_path)
    logger.write(HEADER + b"".join(map(row, range(50))))
    assert logger.imported().new == 1
    for second in (50, 51):
        logger.append(row(second))
        assert (logger.imported().changed, logger.imported().unchanged) == (1, 1)
    assert sizes == [len(row(50)), len(row(51))]
    assert logger.history()["counts"][0] == 52


PIECES = st.one_of(
    st.integers(0, 90).map(row),
    st.tuples(st.integers(0, 90), st.sampled_from(["kaputt", "", "1,2", "nan"])).map(lambda it: row(*it)),
    st.sampled_from([b"\r\n", b",,\r\n", b"junk\r\n", HEADER, b"ts,note,flow\r\n", b"ts,flow\n", b"\0\0\0\n"]),
    st.sampled_from([row(3, 1, '"two\nlines"'), row(4, 1, '"open'), row(5, 1, '"a""b"'), b"# note\r\n", b"\xe4\r\n"]),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    pieces=st.lists(PIECES, max_size=12),
    cuts=st.lists(st.integers(0, 400), max_size=4),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
    comment=st.booleans(),
)
def test_the_history_equals_that_of_a_fresh_import(tmp_path_factory, pieces, cuts, encoding, comment):
    source: dict[str, Any] = {"encoding": encoding, **({"table": {"comment": "#"}} if comment else {})}
    folder = tmp_path_factory.mktemp("growing")
    content = HEADER + b"".join(pieces)
    logger = Logger(folder, **source)
    for cut in sorted(cuts):
        logger.write(content[: len(HEADER) + cut])
        logger.imported()
    logger.write(content)
    logger.imported()
    assert logger.history() == fresh(folder / "fresh", content, **source)


def test_a_line_that_is_not_complete_is_left_until_it_is(tmp_path, monkeypatch):
    logger = Logger(tmp_path)
    logger.write(HEADER + row(0))
    logger.imported()
    logger.append(row(1, 17)[:-6])
    report = logger.imported()
    assert report.readings == 1
    assert "a.csv: its last line is not complete yet" in " ".join(import_notes([report]))
    logger.append(row(1, 17)[-6:] + row(2)[:-2])
    assert logger.imported().readings == 2
    assert logger.imported().readings == 3  # the file did not change: its last line is complete, without a line break
    assert logger.imported().unchanged == 1
    logger.append(b"5,x\r\n")
    report = logger.imported()  # what counted as complete has become another line
    assert (report.gaps, report.rejected) == ([], {"missing-field": 1})
    assert [value for *_, value in logger.history()["readings"]] == ["0.0", "17.0"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b",1,", b",7,") + row(9),
        lambda content: content[: len(content) // 2],
        lambda content: HEADER + content[len(HEADER) + len(row(0)) :] + row(9),
        lambda content: content.replace(b"flow", b"Flow", 1).replace(b"Flow", b"flow") + b"ts,note,flow\r\n" + row(9),
    ],
)
def test_a_file_whose_beginning_changed_is_read_as_a_whole(tmp_path, change):
    content = HEADER + b"".join(map(row, range(8)))
    logger = Logger(tmp_path)
    logger.write(content)
    logger.imported()
    logger.write(change(content))
    assert logger.imported().changed == 1
    assert logger.history() == fresh(tmp_path / "fresh", change(content))


@pytest.mark.parametrize("encoding", ["utf-16-le", "gb18030"])
def test_other_encodings_are_read_as_a_whole(tmp_path, monkeypatch, encoding):
    sizes = counted(monkeypatch)
    logger = Logger(tmp_path, encoding=encoding)
    texts = [HEADER.decode(), *(row(second).decode() for second in range(3))]
    for count in (2, 4):
        logger.write("".join(texts[:count]).encode(encoding))
        logger.imported()
    assert sizes == []
    assert logger.history()["counts"][0] == 3


def test_a_setting_that_changes_reads_the_file_as_a_whole(tmp_path, monkeypatch):
    sizes = counted(monkeypatch)
    logger = Logger(tmp_path)
    logger.write(HEADER + row(0))
    logger.imported()
    logger.append(row(1))
    logger.site = pump_site(
        tmp_path, [{"name": "s", "type": "csv", "path": "*.csv", "readings": {**WIDE, "ignore": ["note"]}}]
    )
    assert (logger.imported().readings, sizes) == (2, [])


def test_a_file_that_grows_while_it_is_read_is_imported(tmp_path, monkeypatch):
    logger = Logger(tmp_path)
    logger.write(HEADER + row(0) + row(1))
    real = opening.CountingFile.readinto
    added = iter([row(2), row(3)[:9]])

    def readinto(self, buffer):
        count = real(self, buffer)
        logger.append(next(added, b""))
        return count

    with monkeypatch.context() as patch:
        patch.setattr(opening.CountingFile, "readinto", readinto)
        report = logger.imported()
    assert (report.readings, report.failed) == (2, [])
    logger.append(row(3)[9:])
    assert logger.imported().readings == 4


@pytest.mark.slow
def test_many_additions_leave_few_files(tmp_path):
    logger = Logger(tmp_path)
    logger.write(HEADER + row(0))
    for second in range(1, 40):
        logger.append(row(second))
        logger.imported()
    (item,) = open_history(logger.site).items("s").values()
    assert item.rows == 40
    assert len(item.parts) <= 6
