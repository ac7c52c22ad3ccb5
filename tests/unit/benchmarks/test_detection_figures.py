"""The detection benchmark: what it reads, what it counts, and the tables that it writes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection import asd, batadal, dataset, hvac, skab, smd, table, tep
from benchmarks.detection.detector_runs import _judged
from eugenie_cli.history.grid import Grid
from eugenie_cli.site.labels import Label
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training.datasets import UNUSED

DATA = Path(__file__).parents[3] / os.environ.get("EUGENIE_DATA", "../shared/data")
MINUTE = 60_000
ROWS = 400


def plant(name: str, step: str, scores: dict[str, np.ndarray], label: tuple[int, int]):
    """A plant of two sensors whose parts have these scores; the first sensor is blamed while the score is above 1."""
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": "a"}, {"name": "b"}], "step": step, "max_gap": step}
    )
    edges = np.arange(ROWS, dtype=np.int64) * equipment.step
    tests, runs = [], []
    for part_name, score in scores.items():
        labels = (Label("x", label[0] * equipment.step, label[1] * equipment.step, ("a",)),) if label[1] else ()
        part = dataset.Part(part_name, Grid("x", edges, np.zeros((ROWS, 2), np.float32)), np.ones(ROWS, bool), labels)
        tests.append((part, score))
    made = dataset.Plant(name, equipment, (), tuple(part for part, _ in tests))
    for part, score in tests:
        blame = np.where(score[:, None] > 1, [[0.8, 0.2]], [[0.4, 0.6]])
        runs.append(_judged(made, part, score, blame))
    return made, runs


def test_skab_counts_rows_without_adjusting_them() -> None:
    score = np.full(ROWS, 0.5)
    score[100:150] = 2.0
    score[200:210] = 2.0
    figures = skab.figures(*plant("skab", "1s", {"valve1-0": score}, (100, 200)))
    assert figures["mar"] == pytest.approx(0.5)
    assert figures["far"] == pytest.approx(10 / 300)
    assert figures["f1"] == pytest.approx(100 / (100 + 10 + 50))


def test_tep_tells_rates_before_and_after_the_fault_and_leaves_undetectable_ones_out_of_the_mean() -> None:
    found, missed = np.full(ROWS, 0.5), np.full(ROWS, 0.5)
    found[tep.FAULT_ROW + 40 :] = 3.0
    made, runs = plant("tep", "3m", {"fault-01": found, "fault-03": missed}, (tep.FAULT_ROW, ROWS))
    normal = np.full(ROWS, np.nan)
    normal[200:] = np.where(np.arange(200) < 10, 2.0, 0.1)
    _, (quiet,) = plant("tep", "3m", {"normal-test": normal}, (0, 0))
    figures = tep.figures(made, [quiet, *runs])
    assert figures["detection_rate"] == pytest.approx(200 / 240)
    assert figures["detection_rate_fault_3"] == 0.0
    assert figures["false_alarm_rate"] == pytest.approx(10 / 200), "rows without a score are not in the rate"
    assert figures["false_alarm_rate_before_faults"] == 0.0
    assert figures["delay_median_min"] == pytest.approx((40 + 4) * 3)


def test_asd_blames_by_the_whole_event_by_its_first_rows_and_by_the_alarm_that_opened() -> None:
    score = np.full(ROWS, 0.5)
    score[120:160] = 2.0
    figures = asd.figures(*plant("asd", "5m", {"omi-1": score}, (100, 160)))
    assert (figures["events_found"], figures["false_alarms"]) == (1.0, 0.0)
    assert figures["hit@1"] == 1.0
    assert figures["hit@1_first_rows"] == 0.0, "before the score rose the second sensor led"
    assert (figures["alarms_that_blame"], figures["hit@1_at_alarm"]) == (1.0, 1.0)
    assert figures["average_precision"] == pytest.approx(40 / 60 + 20 / 60 * 60 / 400)


def test_a_table_replaces_what_is_between_its_markers_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = (mark.format(name="skab") for mark in (table.BEGIN, table.END))
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    figures = {"f1": 0.8137, "f1_spread": 0.006, "far": 0.115, "mar": 0.246, "vus_pr": 0.9}
    for _ in range(2):
        table.write(page, "skab", {**figures, "baselines": {"pca-q": {"f1": 0.7, "far": 0.1, "mar": 0.3}}})
    assert page.read_text() == (
        f"before\n{begin}\n|  | model | pca-q |\n| --- | --- | --- |\n| F1 | 0.814 ± 0.003 | 0.700 |\n"
        f"| FAR | 0.115 | 0.100 |\n| MAR | 0.246 | 0.300 |\n| VUS-PR | 0.900 |  |\n"
        f"| normal rows above 1 |  |  |\n{end}\nafter\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [skab, tep, asd, batadal, smd, hvac], ids=lambda module: module.NAME)
def test_no_judged_row_was_used_for_training(protocol) -> None:
    if not (DATA / protocol.NAME).is_dir():
        pytest.skip(f"{protocol.NAME} is not in {DATA}: set EUGENIE_DATA")
    made = protocol.load(DATA, {})
    learnt = {grid.asset: grid.edges[grid.part != UNUSED] for grid in made.normal}
    assert not set(made.equipment.sensor_names) & {"anomaly", "changepoint", "timestamp", "datetime"}
    for part in made.tests:
        assert part.judged.any()
        assert not np.isin(part.grid.edges[part.judged], learnt[part.grid.asset]).any(), part.name
