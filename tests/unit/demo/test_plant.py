"""The simulated plant behaves like a real one: physics, determinism, continuity, faults."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.demo.plant.equipment import BOOSTER_CLASS, FEED_CLASS, PUMPS, pump
from eugenie_cli.demo.plant.faults import KINDS, Fault, schedule, wear_of
from eugenie_cli.demo.plant.operation import operate
from eugenie_cli.demo.plant.physics import simulate
from eugenie_cli.demo.plant.plant import Plant
from eugenie_cli.demo.plant.randomness import generator, lag, set_points, wander

pytestmark = pytest.mark.slow

START = 1_767_225_600_000
HOUR = 3_600_000
MINUTE = 60_000


def truth(faults: tuple[Fault, ...] = (), hours: float = 6, seed: int = 3):
    operation = operate(seed, START, START + int(hours * HOUR))
    return operation, simulate(operation, wear_of(faults, operation.ts))


class TestRandomness:
    def test_lag_is_the_recursion_it_claims_to_be(self):
        signal = np.random.default_rng(0).standard_normal((700, 3))
        decay, state, slow = np.exp(-5 / 60), signal[0], []
        for row in signal:
            state = decay * state + (1 - decay) * row
            slow.append(state)
        np.testing.assert_allclose(lag(signal, 60, 5), slow, atol=1e-12)

    def test_a_wander_has_the_requested_deviation(self):
        values = wander(generator(0, "x"), 200_000, 1, 0.7, 30, 5)
        assert values.std() == pytest.approx(0.7, rel=0.03)

    @pytest.mark.parametrize(
        "process",
        [
            lambda n: wander(generator(1, "w"), n, 2, 1, 60, 5),
            lambda n: set_points(generator(1, "s"), n, 2, 1, 600, 5),
        ],
    )
    def test_a_longer_span_continues_the_shorter_one(self, process):
        np.testing.assert_array_equal(process(900)[:500], process(500))


class TestPhysics:
    def test_the_header_delivers_the_demand(self):
        operation, values = truth()
        delivered = sum(values[p.name]["flow"] for p in PUMPS if p.class_name == FEED_CLASS)
        boosted = sum(values[p.name]["flow"] for p in PUMPS if p.class_name == BOOSTER_CLASS)
        consumed = operation.consumers * np.sqrt(values["P-201"]["suction_pressure"])
        np.testing.assert_allclose(delivered, boosted + consumed, rtol=1e-6)

    def test_pumps_run_in_a_sensible_range(self):
        _, values = truth(hours=48)
        assert values["P-101"]["flow"].min() > 100 and values["P-101"]["flow"].max() < 260
        assert values["P-101"]["motor_current"].min() > 40 and values["P-101"]["motor_current"].max() < 100
        assert 5 < values["P-201"]["suction_pressure"].mean() < 7
        assert values["P-101"]["bearing_temperature"].max() < 65

    def test_flow_follows_speed_and_current_follows_flow(self):
        _, values = truth(hours=48)
        feed = values["P-101"]
        assert np.corrcoef(feed["flow"], feed["speed"])[0, 1] > 0.8
        assert np.corrcoef(feed["flow"], feed["motor_current"])[0, 1] > 0.9
        # the pump curve slopes downwards
        rise = feed["discharge_pressure"] - feed["suction_pressure"]
        head = rise / (feed["speed"] / 2950) ** 2
        assert np.corrcoef(feed["flow"] / feed["speed"], head)[0, 1] < -0.95

    def test_bearings_are_slow(self):
        fault = Fault("bearing-wear", "P-101", START + HOUR, START + 2 * HOUR)
        operation, worn = truth((fault,))
        _, healthy = truth()
        extra = worn["P-101"]["bearing_temperature"] - healthy["P-101"]["bearing_temperature"]
        at = np.searchsorted(operation.ts, fault.end)
        assert extra[at] > 15
        assert extra[at + 120] > 0.3 * extra[at]  # ten minutes after the repair it is still warm
        assert abs(extra[-1]) < 0.5  # and in the end it has recovered


class TestFaults:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("kind", "asset", "signs"),
        [
            ("cavitation", "P-102", {"vibration": 1, "flow": -1, "discharge_pressure": -1}),
            ("blocked-filter", "P-103", {"filter_dp": 1, "suction_pressure": -1, "flow": -1}),
            ("valve-leak", "P-203", {"motor_power": 1, "flow": -1, "discharge_pressure": -1}),
            ("bearing-wear", "P-204", {"bearing_temperature": 1, "vibration": 1}),
        ],
    )
    def test_a_machine_fault_shows_where_it_should(self, kind, asset, signs):
        fault = Fault(kind, asset, START + HOUR, START + 2 * HOUR)
        assert set(signs) <= set(fault.carriers)
        operation, faulty = truth((fault,))
        _, healthy = truth()
        late = (operation.ts > fault.onset + 50 * MINUTE) & (operation.ts < fault.end)
        instruments = {instrument.sensor: instrument for instrument in pump(asset).instruments}
        for sensor, sign in signs.items():
            change = (faulty[asset][sensor] - healthy[asset][sensor])[late].mean()
            instrument = instruments[sensor]
            visible = 1.5 * (instrument.noise + instrument.relative_noise * healthy[asset][sensor][late].mean())
            assert sign * change > visible, sensor

    def test_a_fault_barely_reaches_its_neighbours(self):
        fault = Fault("blocked-filter", "P-103", START + HOUR, START + 2 * HOUR)
        _, faulty = truth((fault,))
        _, healthy = truth()
        neighbour = np.abs(faulty["P-101"]["flow"] / healthy["P-101"]["flow"] - 1).max()
        own = np.abs(faulty["P-103"]["flow"] / healthy["P-103"]["flow"] - 1).max()
        assert neighbour < own / 2

    @pytest.mark.parametrize("seed", range(20))
    def test_a_schedule_has_every_kind_once_and_leaves_a_pump_of_each_class_alone(self, seed):
        faults = schedule(seed, START, warm_up_ms=HOUR, spacing_ms=HOUR, duration_ms=HOUR)
        assert {fault.kind for fault in faults} == set(KINDS)
        assets = [fault.asset for fault in faults]
        assert len(set(assets)) == len(assets)
        for name in (FEED_CLASS, BOOSTER_CLASS):
            assert any(p.class_name == name and p.name not in assets for p in PUMPS)
        assert all(set(fault.carriers) <= set(pump(fault.asset).sensors) for fault in faults)

    def test_severity_grows_from_the_onset_and_ends_with_the_repair(self):
        fault = Fault("cavitation", "P-101", 1_000, 2_000)
        np.testing.assert_allclose(
            fault.severity(np.array([999, 1_000, 1_300, 1_700, 1_999, 2_000])), [0, 0, 0.5, 1, 1, 0]
        )


class TestReadings:
    def test_the_same_seed_gives_the_same_readings_and_another_seed_others(self):
        first, same, other = (Plant(seed, START, START + HOUR).history() for seed in (1, 1, 2))
        np.testing.assert_array_equal(first.value, same.value)
        assert len(first) != len(other) or not np.array_equal(first.value, other.value)

    def test_the_live_part_continues_the_history(self):
        long, short = Plant(1, START, START + 2 * HOUR), Plant(1, START, START + HOUR)
        whole, live = long.history(), short.live(START + 2 * HOUR, ())
        later = whole.where(whole.ts >= START + HOUR)
        n = min(len(later), len(live)) - 200  # the last moments depend on where the span ends
        np.testing.assert_array_equal(later.value[:n], live.value[:n])
        np.testing.assert_array_equal(later.ts[:n], live.ts[:n])

    def test_faults_change_nothing_before_they_begin_and_nothing_on_instruments_they_do_not_reach(self):
        plant = Plant(1, START, START + HOUR)
        fault = Fault("sensor-drift", "P-201", START + 2 * HOUR, START + 3 * HOUR, "flow")
        healthy, faulty = plant.live(START + 4 * HOUR, ()), plant.live(START + 4 * HOUR, (fault,))
        changed = healthy.value != faulty.value
        assert changed.any()
        assert faulty.ts[changed].min() >= fault.onset
        at = [p.name for p in PUMPS].index("P-201")
        assert set(faulty.pump[changed]) == {at}
        assert {PUMPS[at].sensors[s] for s in faulty.sensor[changed]} == {"flow"}

    def test_a_stuck_sensor_repeats_one_value(self):
        plant = Plant(1, START, START + HOUR)
        fault = Fault("stuck-sensor", "P-101", START + 2 * HOUR, START + 3 * HOUR, "flow")
        live = plant.live(START + 4 * HOUR, (fault,))
        mine = live.where((live.pump == 0) & (live.sensor == pump("P-101").sensors.index("flow")))
        during = mine.where((mine.ts >= fault.onset) & (mine.ts < fault.end))
        assert len(set(during.value)) == 1
        assert during.value[0] == mine.value[mine.ts < fault.onset][-1]

    @pytest.mark.slow
    def test_readings_are_irregular_with_gaps_bad_quality_and_duplicates(self):
        history = Plant(1, START, START + 24 * HOUR).history()
        first_sensor = history.where((history.pump == 0) & (history.sensor == 0))
        spacing = np.diff(first_sensor.ts)
        assert 7_500 < np.median(spacing) < 10_500
        assert spacing.max() > 60_000
        assert (spacing == 0).any()
        assert 0.99 < history.good.mean() < 0.999
        assert (np.diff(history.ts) >= 0).all()
