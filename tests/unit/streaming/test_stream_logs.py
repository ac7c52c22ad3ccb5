"""Follows a log file that grows, ends in the middle of a line, and is rolled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eugenie_cli.engines.flink import JOBMANAGER, TASKMANAGER
from eugenie_cli.engines.launcher import log_file
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.load import workspace_of
from eugenie_cli.streaming.logs import LogLine, logs


@pytest.fixture
def site(site_of):
    return site_of(stream={"flink": "embedded"})


@pytest.fixture
def files(site):
    paths = [log_file(workspace_of(site), name) for name in (JOBMANAGER, TASKMANAGER)]
    paths[0].parent.mkdir(parents=True)
    return paths


def follow(site, *turns) -> Iterator[LogLine]:
    """The lines of `logs`, with one of `turns` performed at each pause."""
    left = list(turns)
    return logs(site, follow=True, stopped=lambda: not left, sleep=lambda _: left.pop(0)())


def test_without_engines_no_log_exists(site):
    with pytest.raises(EugenieError, match="no log yet") as raised:
        list(logs(site))
    assert raised.value.exit_code is ExitCode.UNREACHABLE


def test_the_last_lines_of_each_process(site, files):
    files[0].write_text("".join(f"line {number}\n" for number in range(9)))
    files[1].write_text("one\n")
    assert list(logs(site, lines=2)) == [
        LogLine(JOBMANAGER, "line 7"),
        LogLine(JOBMANAGER, "line 8"),
        LogLine(TASKMANAGER, "one"),
    ]


def test_a_line_appears_once_it_is_complete_even_when_cut_inside_a_character(site, files):
    files[0].write_bytes(b"begun\n")
    grown = [b"caf", b"\xc3", b"\xa9\nnext", b"\n"]
    turns = [lambda piece=piece: files[0].open("ab").write(piece) for piece in grown]
    assert [line.text for line in follow(site, *turns)] == ["begun", "café", "next"]


def test_a_log_that_is_rolled_or_appears_later_is_followed(site, files):
    files[0].write_text("old 1\nold 2\n")

    def roll():
        files[0].rename(files[0].with_name("rolled"))
        files[0].write_text("new\n")

    def start():
        files[1].write_text("worker\n")

    lines = list(follow(site, roll, start))
    assert lines == [
        LogLine(JOBMANAGER, "old 1"),
        LogLine(JOBMANAGER, "old 2"),
        LogLine(JOBMANAGER, "new"),
        LogLine(TASKMANAGER, "worker"),
    ]
