"""How benchmarks compute what they report: speed from bursts of results, latency from stamps, shares from stacks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from benchmarks.common import plant_tags
from benchmarks.common.plant import STEP_MS, Plant
from benchmarks.latency.figures import Sent, completion, last_readings
from benchmarks.stream.measurement import Result, pace
from benchmarks.stream.meter import shortened
from benchmarks.stream.profile import FRAMEWORK, shares

RATE = 50_000
"""Readings a second of the jobs below."""

ROW = 8


class Clock:
    """An engine that uses one CPU second a second."""

    def cpu(self, begin: float, end: float) -> Mapping[str, float]:
        return {"engine": end - begin}

    operators = cpu


def bursts(period_s: float, width_s: float, seconds: float) -> list[Result]:
    """Results at RATE, handed out within `width_s` at the end of each period; half the first burst is unscored."""
    random, found = np.random.default_rng(0), []
    for number in range(1, int(seconds / period_s) + 1):
        count = int(RATE * period_s / ROW)
        stamps = 1_000 + number * period_s - width_s + np.sort(random.uniform(0, width_s, count))
        found += [
            Result(round(float(at), 3), ROW, number > 1 or index > count // 2, "") for index, at in enumerate(stamps)
        ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("period_s", "width_s"), [(0.01, 0.01), (0.1, 0.02), (1.0, 0.05), (2.0, 0.3), (3.0, 0.1), (1.0, 0.8)]
)
def test_speed_does_not_depend_on_how_results_are_handed_out(period_s: float, width_s: float) -> None:
    found = pace(bursts(period_s, width_s, 40), Clock(), lambda one: one.scored)
    assert found.readings_per_s == pytest.approx(RATE, rel=0.02)
    assert found.readings_per_cpu_s == pytest.approx(RATE, rel=0.02)


@pytest.mark.slow
def test_what_is_measured_is_most_of_the_run() -> None:
    found = pace(bursts(1.0, 0.1, 40), Clock(), lambda one: one.scored)
    assert found.readings > 0.88 * 40 * RATE


@pytest.mark.slow
def test_the_second_half_is_measured_alone() -> None:
    """The job of this test is four times as fast in its second half."""
    slow, fast = bursts(1.0, 0.05, 20), bursts(0.25, 0.05, 20)
    quick = [one._replace(taken=one.taken + 20, readings=4 * one.readings, scored=True) for one in fast]
    found = pace(slow + quick, Clock(), lambda one: one.scored, share=0.4)
    assert found.readings_per_s == pytest.approx(4 * RATE, rel=0.02)


def test_results_that_came_at_once_are_no_measurement() -> None:
    with pytest.raises(ValueError, match="measure more"):
        pace([Result(1.0, ROW, True, "")] * 5, Clock(), lambda one: one.scored)


def test_a_row_is_complete_when_the_plants_clock_has_passed_it() -> None:
    """By the first reading that is far enough ahead, of any asset and in the order of the broker's stamps."""
    sent = Sent(
        asset=np.array(["a", "b", "a", "b", "a"]),
        ts=np.array([900, 2_950, 1_900, 3_000, 4_100]),
        taken=np.array([10, 20, 30, 40, 50]),
    )
    assert completion(sent, [1_000, 2_000], out_of_orderness=2_000) == {1_000: 40, 2_000: 50}
    assert last_readings(sent, [("a", 1_000), ("a", 2_000), ("a", 3_000), ("b", 3_000)]) == [10, 30, 30, 40]


def test_the_operator_is_the_outermost_module_of_ours() -> None:
    work = "/job.zip/eugenie_cli/flink_job"
    stacks = f"""\
run (threading.py:1);process (pyflink/operations.py:9);on_timer ({work}/windows.py:3);f ({work}/shard.py:1) 6
run (threading.py:1);process (pyflink/operations.py:9) 3
invoke ({work}/predict.py:7);call (/job.zip/eugenie_cli/serving/client.py:1);encode (numpy/a b.py:1) 1
"""
    assert shares(stacks) == {"windows": 0.6, FRAMEWORK: 0.3, "predict": 0.1}


def test_java_threads_are_known_in_either_short_form() -> None:
    assert shortened("windows (1/1)#0") == ("windows (1/1)#0", "windows (1/1)#0")
    assert shortened("windows, predict (1/1)#0") == ("windows, predic", "windows..1/1)#0")


def test_no_two_sensors_have_a_tag_in_common() -> None:
    tags = {plant_tags.tag(asset, sensor) for asset in range(2_500) for sensor in range(plant_tags.SENSORS)}
    assert len(tags) == 20_000


@pytest.mark.parametrize("plant", [Plant(3), Plant(40, tagged=True), Plant(2_500, tagged=True)])
def test_every_step_reads_every_sensor_once_and_none_on_an_edge(plant: Plant) -> None:
    offsets = plant.offsets()
    assert len(offsets) == plant.readings_per_step == len(plant.formatter()[0])
    assert 0 < offsets.min() <= offsets.max() < STEP_MS
    assert (np.diff(offsets) >= 0).all()


def test_a_twentieth_pump_runs_as_the_first_does_and_a_smaller_plant_as_a_larger() -> None:
    large, small = Plant(45).stepper()(7), Plant(5).stepper()(7)
    assert large[: 5 * 8] == small
    assert large[20 * 8 : 40 * 8] == large[: 20 * 8]
