"""Anomalies on a terminal, compared with golden text."""

from __future__ import annotations

from datetime import timedelta, timezone
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console as RichConsole
from support.anomaly_records import record_bytes

from eugenie_cli.anomalies.record import parse_record
from eugenie_cli.anomalies.view import View
from eugenie_cli.commands.anomaly_table import LiveTable, anomaly_table, bar, duration, number
from eugenie_cli.streaming.liveness import DOWN, LATE, OK, UNKNOWN, Liveness, Trouble

GOLDEN = Path(__file__).parents[2] / "golden" / "anomalies"
NOW_MS = 1_767_866_712_000  # 2026-01-08T10:05:12Z


def view() -> View:
    anomalies = View()
    for members in (
        {"id": "1"},
        {
            "id": "2",
            "asset": "valve-7",
            "class": "control-valve",
            "state": "update",
            "severity": "low",
            "score": 1.2,
            "peak": 1.6,
            "start": "2026-01-08T09:20:00Z",
            "detected": "2026-01-08T09:20:05Z",
            "sensors": [{"sensor": "position", "contribution": 1.0, "value": 50000.0, "forecast": 12.34, "unit": "%"}],
        },
        {
            "id": "3",
            "asset": "fan-2",
            "class": "fan",
            "state": "closed",
            "reason": "recovered",
            "severity": "medium",
            "score": 0.7,
            "peak": 3.0,
            "start": "2026-01-07T08:00:00Z",
            "end": "2026-01-08T09:00:00Z",
        },
        {
            "id": "4",
            "asset": "fan-3",
            "class": "fan",
            "state": "closed",
            "reason": "silent",
            "severity": "high",
            "score": None,
            "peak": 250.0,
            "start": "2025-12-31T23:59:59Z",
            "end": "2026-01-01T00:00:30Z",
            "sensors": [],
        },
    ):
        parsed = parse_record(record_bytes(**members))
        assert parsed is not None
        anomalies.fold(parsed[0], parsed[0].detected_ms + 1_000)
    return anomalies


def drawn(renderable, width: int = 110, height: int = 40) -> str:
    console = RichConsole(file=StringIO(), width=width, height=height, emoji=False, highlight=False)
    console.print(renderable)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def live(anomalies: View) -> LiveTable:
    return LiveTable("demo-plant", anomalies, timezone.utc, clock=lambda: NOW_MS / 1000)


@pytest.mark.parametrize(("name", "width"), [("live-110", 110), ("live-80", 80)])
def test_a_live_table_matches_the_golden_text(name, width):
    assert drawn(live(view()), width) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def coloured(life: Liveness, anomalies: View) -> list[str]:
    """The lines with their colours, as escape sequences."""
    console = RichConsole(file=StringIO(), width=100, height=40, emoji=False, highlight=False, force_terminal=True,
                          color_system="standard")  # fmt: skip
    console.print(LiveTable("demo-plant", anomalies, timezone.utc, clock=lambda: NOW_MS / 1000, life=lambda: life))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("level", "code"), [(OK, "32"), (LATE, "33"), (DOWN, "31"), (UNKNOWN, "")])
def test_the_colour_of_nothing_open_is_that_of_the_liveness_and_green_only_if_alive(level, code):
    trouble = Trouble("kafka", level, "no contact with Kafka since 10:05:01", "eugenie up")
    troubles = (trouble,) if level in (LATE, DOWN) else ()
    head, *sign = coloured(Liveness(level, "last row scored 3 s ago", troubles), View())[: 2 + len(troubles)]
    assert f"\x1b[1;{code}m0 open" in head if code else "\x1b[1m0 open" in head
    for line, words in zip(sign, ["last row scored 3 s ago", f"{trouble.what}; next: eugenie up"], strict=False):
        assert f"\x1b[{code}m{words}" in line if code else words in line
    assert ("32m" in "".join([head, *sign])) == (level == OK)


def test_troubles_take_lines_from_the_table_and_do_not_exceed_the_terminal():
    troubles = tuple(Trouble(str(number), DOWN, f"trouble {number}", "wait") for number in range(6))
    life = Liveness(DOWN, "no scored row", troubles)
    table = LiveTable("demo-plant", view(), timezone.utc, clock=lambda: NOW_MS / 1000, life=lambda: life)
    shown = drawn(table, width=100, height=18)
    assert len(shown.splitlines()) <= 18 and "trouble 5; next: wait" in shown and "more open" in shown


def test_text_from_kafka_moves_no_cursor_and_shows_no_password():
    evil = "p\x1b]0;x\x07\x9b2J\u202e"
    share = {"sensor": evil, "contribution": 1.0, "value": 1.0, "forecast": 2.0, "unit": evil}
    anomalies = View()
    for number_of_record, closed in enumerate(({}, {"state": "closed", "reason": evil, "end": "2026-01-08T10:01:00Z"})):
        members = {
            "id": str(number_of_record),
            "asset": evil,
            "class": evil,
            "severity": evil,
            "sensors": [share],
            **closed,
        }
        parsed = parse_record(record_bytes(**members))
        assert parsed is not None
        anomalies.fold(parsed[0], NOW_MS)
    life = Liveness(DOWN, "no scored row", (Trouble("kafka", DOWN, f"{evil} http://me:hidden@host", "wait"),))
    shown = drawn(LiveTable("demo-plant", anomalies, timezone.utc, clock=lambda: NOW_MS / 1000, life=lambda: life), 200)
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown) and "hidden" not in shown
    assert shown.count("\\x1b]0;x") >= 8, "the text is shown in full, escaped"


def test_nothing_open_is_stated():
    assert drawn(live(View())) == (GOLDEN / "live-empty.txt").read_text(encoding="utf-8")


def test_a_short_terminal_shows_the_most_severe_and_counts_the_rest():
    text = drawn(live(view()), height=10)
    assert "pump-101" in text and "valve-7" not in text
    assert "1 more open" in text


def test_times_are_in_the_sites_time_zone():
    text = drawn(anomaly_table(view().open(), NOW_MS, timezone(timedelta(hours=2))))
    assert "12:00:00" in text


def test_severity_has_a_colour():
    console = RichConsole(file=StringIO(), width=110, force_terminal=True, color_system="256")
    console.print(anomaly_table(view().open(), NOW_MS))
    assert "\x1b[31m███▍" in console.file.getvalue()


@pytest.mark.parametrize(
    ("score", "cells"),
    [(0, ""), (None, ""), (1, "█"), (1.5, "█▌"), (7.99, "████████"), (8, "████████"), (1e9, "████████")],
)
def test_one_cell_of_the_bar_is_one_threshold(score, cells):
    assert bar(score) == cells.ljust(8)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m 00s"),
        (3_599, "59m 59s"),
        (3_600, "1h 00m"),
        (86_400, "1d 00h"),
        (200_000, "2d 07h"),
    ],
)
def test_durations_have_two_units(seconds, text):
    assert duration(seconds * 1000) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.000"),
        (0.4, "0.400"),
        (12.345, "12.35"),
        (-123.45, "-123.5"),
        (1480.0, "1480"),
        (1.2e-5, "1.2e-05"),
        (3e9, "3e+09"),
    ],
)
def test_figures_are_short(value, text):
    assert number(value) == text
