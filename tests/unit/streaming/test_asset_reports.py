"""What status says about assets whose clocks or readings are not as they should be."""

from __future__ import annotations

import pytest

from eugenie_cli.flink_job.asset_reports import MOST, AssetReports
from eugenie_cli.streaming.asset_reports import AssetReport, read_reports, span

NOW = 1_000_000


class Metrics:
    """Metrics as Flink names them."""

    def __init__(self) -> None:
        self.gauges: dict = {}
        self.reports = AssetReports(self.keep)

    def keep(self, asset: str, name: str, value: int) -> None:
        self.gauges[f"detect.asset.{asset.replace('.', '_')}.{name}"] = float(value)

    def read(self, *assets: str) -> dict[str, AssetReport]:
        self.reports.report()
        return {report.asset: report for report in read_reports(self.gauges, assets)}


def test_only_assets_with_something_to_report_have_metrics():
    metrics = Metrics()
    metrics.reports.clocks([("p1", 120, 0), ("p2", -4_000, 0), ("p3", 59_000, 0)])
    assert metrics.read("p1") == {} and metrics.gauges == {}


@pytest.mark.parametrize(
    ("delay_ms", "silence_ms", "line"),
    [
        (-20_000, 0, "its clock is 20 s ahead"),
        (-5_000, 0, "its clock is 5.0 s ahead"),
        (60_000, 0, "its clock is 60 s behind, or its readings arrive that late"),
        (26 * 31_557_600_000, 0, "its clock is 26 years behind, or its readings arrive that late"),
        (100, 300_000, "silent for 5 min"),
    ],
)
def test_a_wrong_clock_or_a_silence_is_named_until_it_has_passed(delay_ms, silence_ms, line):
    metrics = Metrics()
    metrics.reports.clocks([("pump.4", delay_ms, silence_ms)])
    assert metrics.read("pump.4", "pump-4")["pump.4"].lines == [line]
    metrics.reports.clocks([("pump.4", 100, 0)])
    assert metrics.read("pump.4") == {}


def test_late_and_refused_readings_add_up():
    metrics = Metrics()
    metrics.reports.late("p1", 3, 9_800)
    metrics.reports.late("p1", 4, 2_100)
    metrics.reports.future("p1", 240, 4_070_908_800_000)
    report = metrics.read("p1")["p1"]
    assert (report.late_readings, report.late_by_s, report.future_readings) == (7, 9.8, 240)
    future, late = report.lines
    assert future.startswith("240 readings refused, up to 129 years ahead") and "stream.max_ahead" in future
    assert late.startswith("7 late readings, up to 9.8 s behind its newest") and "stream.out_of_orderness" in late


def test_the_number_of_metrics_is_bounded():
    metrics = Metrics()
    metrics.reports.clocks([(f"p{number}", -20_000, 0) for number in range(3 * MOST)])
    assert len(metrics.read(*(f"p{number}" for number in range(3 * MOST)))) == MOST


def test_an_asset_that_left_the_site_keeps_the_name_of_its_metric():
    metrics = Metrics()
    metrics.reports.late("gone.1", 1, 5_000)
    assert list(metrics.read("p1")) == ["gone_1"]


def test_spans():
    assert [span(seconds) for seconds in (0.2, 59, 119, 120, 7_200, 172_800)] == [
        "0.2 s", "59 s", "119 s", "2 min", "2 h", "2 days",
    ]  # fmt: skip
