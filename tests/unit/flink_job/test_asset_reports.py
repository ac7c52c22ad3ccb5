"""Figures of assets whose clocks or readings are wrong: what is reported, and when."""

from __future__ import annotations

from eugenie_cli.flink_job.asset_reports import (
    AHEAD_MS,
    BEHIND_MS,
    CLOCK,
    FUTURE,
    FUTURE_BY,
    LATE,
    LATE_BY,
    MOST,
    SILENT,
    AssetReports,
)


def reports() -> tuple[AssetReports, list[tuple[str, str, int]]]:
    sent: list[tuple[str, str, int]] = []
    return AssetReports(lambda *figure: sent.append(figure)), sent


def test_an_asset_with_nothing_to_report_has_no_figures():
    of, sent = reports()
    of.clocks([("p1", 40, 0), ("p2", BEHIND_MS - 1, 0), ("p3", 1 - AHEAD_MS, 0)])
    of.report()
    assert not sent


def test_what_changes_is_reported_once():
    of, sent = reports()
    for _ in range(3):
        of.clocks([("p1", -AHEAD_MS, 0), ("p2", BEHIND_MS, 7_000)])
        of.report()
    assert sent == [("p1", CLOCK, AHEAD_MS), ("p2", CLOCK, -BEHIND_MS), ("p2", SILENT, 7_000)]
    sent.clear()
    of.clocks([("p1", 40, 0), ("p2", BEHIND_MS, 0)])
    of.report()
    assert sent == [("p1", CLOCK, 0), ("p2", SILENT, 0)]


def test_late_and_future_readings_are_summed_until_they_are_reported():
    of, sent = reports()
    of.late("p1", 2, 500)
    of.late("p1", 3, 400)
    of.future("p1", 1, 70_000)
    assert not sent
    of.report()
    assert sent == [("p1", LATE, 5), ("p1", LATE_BY, 500), ("p1", FUTURE, 1), ("p1", FUTURE_BY, 70_000)]


def test_the_number_of_assets_is_limited():
    of, sent = reports()
    for number in range(MOST + 50):
        of.late(f"p{number}", 1, 1)
    of.report()
    assert len({asset for asset, _, _ in sent}) == MOST
    first = sent[0][0]
    sent.clear()
    of.late(first, 1, 1)
    of.report()
    assert sent == [(first, LATE, 2)]
