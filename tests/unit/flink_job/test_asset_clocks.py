"""The clock of an asset: which readings are late, what is complete, and how long a silent asset is waited for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.asset_clocks import FIRST_HOLD_MS, LEARNT_AFTER, Arrived, AssetClocks
from eugenie_cli.flink_job.instants import NEVER

from .conftest import class_spec
from .test_newest_instants import that_counts

BOUND, STEP, SECOND = 2_000, 1_000, 1_000
SPEC = class_spec(step_ms=STEP, max_gap_ms=10_000)


def edges(ts: np.ndarray) -> np.ndarray:
    return -(-ts // STEP) * STEP


def one_by_one(sent: list[tuple[int, int]], count: int) -> list[bool]:
    """Which readings (asset, ts) are late, by the definition."""
    taken: dict[int, list[int]] = {asset: [] for asset in range(count)}
    late = []
    for asset, ts in sent:
        is_late = -(-ts // STEP) * STEP <= that_counts(taken[asset]) - BOUND - 1
        late.append(is_late)
        if not is_late:
            taken[asset].append(ts)
    return late


instants = st.one_of(
    st.integers(0, 12_000), st.sampled_from([946_684_800_000, 1_790_000_000_000, 1_790_000_003_000, 4_070_908_800_000])
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), instants), min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_lateness_depends_only_on_the_earlier_readings_of_the_asset(sent, cuts):
    clocks, late = AssetClocks(4, SPEC, BOUND), []
    bounds = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    for begin, end in itertools.pairwise(bounds):
        asset = np.array([number for number, _ in sent[begin:end]], np.int64)
        ts = np.array([instant for _, instant in sent[begin:end]], np.int64)
        mask = clocks.late(Arrived(asset, edges(ts), ts, np.zeros(len(ts), bool), 0 * asset), np.full(4, NEVER), 0.0)
        late += mask.tolist()
        clocks.hear(asset[~mask], ts[~mask], 0.0)
    assert late == one_by_one(sent, 4)


def test_a_reading_whose_row_was_made_is_late():
    clocks = AssetClocks(2, SPEC, BOUND)
    ts, asset, made = np.array([900, 1_001, 900]), np.array([0, 0, 1]), np.array([1_000, NEVER])
    late = clocks.late(Arrived(asset, edges(ts), ts, np.ones(3, bool), 0 * asset), made, 0.0)
    assert late.tolist() == [True, False, False]


def hold_after(pattern: list[tuple[int, list[int]]], rounds: int) -> float:
    """The hold (ms) after `rounds` of blocks: (listened ms since the last block, ages of its readings in ms)."""
    clocks, now = AssetClocks(1, SPEC, BOUND), 0
    for _ in range(rounds):
        for passed, ages in pattern:
            now += passed
            clocks.hear(np.zeros(len(ages), np.int64), 10**9 + now - np.array(ages), float(now))
    return float(clocks.hold()[0])


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        pytest.param([(1_000, [0])], 1_000, 1_200, id="a reading a second, at once"),
        pytest.param([(1_000, [700])], 1_000, 1_200, id="a clock 0.7 s behind"),
        pytest.param([(1_000, [-20_000])], 1_000, 1_200, id="a clock 20 s ahead"),
        pytest.param([(7_000, [0])], 1_000, 1_200, id="only changes, every 7 s"),
        pytest.param([(10_000, list(range(9_000, -1, -1_000)))], 9_000, 12_000, id="blocks of 10 s"),
        pytest.param([(60_000, list(range(59_000, -1, -1_000)))], 59_000, 70_000, id="blocks of a minute"),
        pytest.param([(300_000, list(range(299_000, -1, -1_000)))], 299_000, 340_000, id="blocks of 5 minutes"),
        pytest.param([(1_000, [0]), (1_000, [0]), (9_000, [8_000, 0])], 8_000, 11_000, id="sometimes delayed"),
        pytest.param([(7_200_000, list(range(7_199_000, -1, -1_000)))], 1_000, 1_200, id="an outage teaches nothing"),
    ],
)
def test_the_usual_delay_of_an_asset_is_learnt(pattern, least, most):
    assert hold_after(pattern, 1) >= FIRST_HOLD_MS
    assert least <= hold_after(pattern, LEARNT_AFTER + 5) <= most


@pytest.mark.slow
def test_a_learnt_delay_fades():
    clocks = AssetClocks(1, SPEC, BOUND)
    for second in range(7_200):
        if 30 < second < 90:
            continue
        ages = 1_000 * np.arange(60 if second == 90 else 1)[::-1]
        clocks.hear(np.zeros(len(ages), np.int64), 10**9 + second * 1_000 - ages, second * 1_000.0)
        if second == 91:
            assert clocks.hold()[0] > 59_000
    assert clocks.hold()[0] < 1_200


@pytest.mark.parametrize("late_s", [0, 5])
def test_a_silent_asset_is_complete_after_its_hold(late_s):
    """Which is nothing for one whose readings arrive within the out-of-orderness."""
    clocks = AssetClocks(2, SPEC, BOUND)
    for second in range(30):
        clocks.hear(np.array([0]), np.array([second * 1_000]), second * 1_000.0)
    heard = 29_000.0
    if late_s:
        heard += 1_000 * (late_s + 1)
        clocks.hear(np.array([0]), np.array([30_000]), heard)
    newest = int(clocks.newest[0])
    assert clocks.complete(heard).tolist() == [newest - BOUND - 1, NEVER]
    hold = float(clocks.hold()[0]) if late_s else 0.0
    assert hold == pytest.approx(late_s * 1_100 + 1_000 if late_s else 0, abs=10)
    assert clocks.complete(heard + hold)[0] == newest - BOUND - 1
    assert clocks.complete(heard + hold + 7_000)[0] // STEP * STEP == newest  # no row without a reading
    assert clocks.now(heard + hold + 7_000)[0] == newest - BOUND - 1 + 7_000


@pytest.mark.parametrize("interval_s", [1, 2, 7, 10, 11])
def test_rows_without_a_reading_are_complete_as_far_as_such_gaps_are_usual(interval_s):
    clocks, newest = AssetClocks(1, SPEC, BOUND), 0
    for number in range(60):
        newest = number * 1_000 * interval_s
        clocks.hear(np.array([0]), np.array([newest]), float(newest))
    bridged = 0 if interval_s == 11 else interval_s - 1  # longer than max_gap: no value is carried so far
    assert (clocks.complete(newest + 1e9)[0] - newest) // 1_000 == bridged


def test_a_single_gap_in_the_data_is_not_usual():
    clocks = AssetClocks(1, SPEC, BOUND)
    instants = [*range(0, 30_000, 1_000), 36_000, 37_000]
    for ts in instants:
        clocks.hear(np.array([0]), np.array([ts]), float(ts))
    assert clocks.complete(1e9)[0] < 37_000 + 1_000


def test_a_reading_as_old_as_the_newest_is_no_sign_of_life():
    clocks = AssetClocks(1, SPEC, BOUND)
    for second in range(120):
        clocks.hear(np.array([0]), np.array([5_000]), second * 1_000.0)
    assert clocks.now(119_000.0)[0] > 5_000 + 60_000 and clocks.complete(119_000.0)[0] // STEP == 5


def test_the_state_is_taken_over_asset_by_asset():
    clocks = AssetClocks(3, SPEC, BOUND)
    for second in range(40):
        clocks.hear(np.array([0, 1]), np.array([second * 1_000, 5]), second * 1_000.0)
    later = AssetClocks(2, SPEC, BOUND)
    later.restore(clocks.state(np.array([0, 2])), np.array([0]), np.array([1]))
    assert (later.newest.tolist(), later.hold().tolist()[1]) == ([NEVER, 39_000], clocks.hold().tolist()[0])


def late_of(blocks: list[list[int]]) -> list[int]:
    """The number of late readings of each block of instants (ms) of one asset, a second apart."""
    clocks, counts = AssetClocks(1, SPEC, BOUND), []
    for number, block in enumerate(blocks):
        ts, asset = np.array(block), np.zeros(len(block), np.int64)
        late = clocks.late(Arrived(asset, edges(ts), ts, np.ones(len(ts), bool), 0 * asset), np.full(1, NEVER), 0.0)
        clocks.hear(asset[~late], ts[~late], 1_000.0 * number)
        counts.append(int(late.sum()))
    return counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behind_s", "is_learnt"), [(1, True), (3, True), (8, True), (50, True), (61, False), (7_200, False)]
)
def test_two_gateways_of_an_asset_one_behind_the_other(behind_s, is_learnt):
    late = late_of([[1_000 * second, 1_000 * (second - behind_s)] for second in range(8_000, 8_120)])
    assert sum(late[:3]) <= 3 and sum(late[3:]) == (0 if is_learnt else 117)


def test_a_gateway_that_sends_its_blocks_newest_first():
    late = late_of([[1_000 * (10 * block + 9 - age) for age in range(10)] for block in range(30)])
    assert sum(late[:3]) <= 3 * 8 and sum(late[3:]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("interval", [1, 10, 60])
def test_a_single_leap_makes_nothing_late_and_holds_nothing_up(interval):
    """One reading is 50 s ahead: the clock does not follow it, and rows are complete as without it."""
    for leap in (False, True):
        clocks, late, complete = AssetClocks(1, SPEC, BOUND), 0, []
        for second in range(0, 1_200, interval):
            ts = [1_000 * second] + [1_000 * second + 50_000] * (leap and second == 600)
            arrived = np.array(ts), np.zeros(len(ts), np.int64)
            mask = clocks.late(
                Arrived(arrived[1], edges(arrived[0]), arrived[0], np.ones(len(ts), bool), arrived[1]),
                np.full(1, NEVER), 1_000.0 * second,
            )  # fmt: skip
            clocks.hear(arrived[1][~mask], arrived[0][~mask], 1_000.0 * second)
            late += int(mask.sum())
            at = [1_000 * (second + later) for later in (0, 4, 9) if later < interval]
            complete += [(now, int(clocks.complete(float(now))[0])) for now in at]
        assert late == 0
        if not leap:
            undisturbed = complete
    for (now, until), (_, without) in zip(complete, undisturbed, strict=True):
        assert without - SECOND <= until <= max(now - BOUND, without)


def test_a_clock_that_leaps_and_stays_is_followed_by_its_next_reading():
    late = late_of([[1_000 * second + 20_000 * (second >= 50)] for second in range(100)])
    assert sum(late) == 0
    clocks = AssetClocks(1, SPEC, BOUND)
    for ts in (*range(0, 50_000, 1_000), 70_000, 71_000):
        clocks.hear(np.array([0]), np.array([ts]), float(ts))
    assert clocks.newest.tolist() == [71_000]


def test_a_single_reading_out_of_order_delays_no_rows():
    blocks = [[1_000 * second] for second in range(100)]
    blocks[50].append(20_000)
    clocks = AssetClocks(1, SPEC, BOUND)
    for number, block in enumerate(blocks):
        ts, asset = np.array(block), np.zeros(len(block), np.int64)
        late = clocks.late(Arrived(asset, edges(ts), ts, np.ones(len(ts), bool), 0 * asset), np.full(1, NEVER), 0.0)
        assert late.tolist() == [False, True][: len(block)]
        clocks.hear(asset[~late], ts[~late], 1_000.0 * number)
    assert clocks.complete(99_000.0).tolist() == [99_000 - BOUND - 1]
