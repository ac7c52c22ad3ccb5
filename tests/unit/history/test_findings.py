"""What `history quality` says to a newcomer: each kind of finding, and that good history gives none."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site

from eugenie_cli.history.assessment import measurements
from eugenie_cli.history.assessment.first_look import first_look
from eugenie_cli.history.assessment.rhythm import near, up
from eugenie_cli.history.batch import AssetReadings, Batch
from eugenie_cli.history.compaction import compact
from eugenie_cli.history.grid import align
from eugenie_cli.history.quality import Quality, assess
from eugenie_cli.history.quality_tables import finding_lines
from eugenie_cli.history.store import History
from eugenie_cli.site.schema import Site

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
NAN = math.nan
SENSORS = ("flow", "pressure", "motor current")


def noise(size: int, middle: float = 5.0, seed: int = 0) -> np.ndarray:
    return np.round(np.random.default_rng(seed).normal(middle, 0.2, size), 3)


def readings(asset: str, ts: np.ndarray, values=None, sensors=SENSORS) -> list[Batch]:
    """The same instants for all sensors."""
    columns = [noise(len(ts), seed=number) if values is None else values for number, _ in enumerate(sensors)]
    series = tuple((asset, sensor) for sensor in sensors)
    index = np.repeat(np.arange(len(sensors), dtype=np.int32), len(ts))
    return [Batch(series, index, np.tile(ts, len(sensors)).astype(np.int64), np.concatenate(columns).astype(float))]


def every(step_ms: int, count: int, start: int = START) -> np.ndarray:
    return start + step_ms * np.arange(count, dtype=np.int64)


@pytest.fixture
def found(tmp_path):
    """The quality of a site of two pumps after commits of batches; pumps without batches get good ones."""

    def look(*, site: Site | None = None, **batches: list[Batch]) -> Quality:
        history = History(tmp_path / "history")
        site = site or pump_site(tmp_path)
        for asset in site.assets:
            history.commit("s", batches.get(asset) or readings(asset, every(1_000, 600)), key=asset)
        return assess(site, history)

    return look


def sentences(quality: Quality, kind: str) -> list[str]:
    return [finding.sentence for finding in quality.findings if finding.kind == kind]


def test_good_history_gives_no_finding_and_two_ready_assets(found):
    quality = found()
    assert [finding.sentence for finding in quality.findings] == []
    assert [(one.grade, one.rows, one.needed, one.complete) for one in quality.assets] == [("ready", 605, 240, 1.0)] * 2


@pytest.mark.parametrize(
    ("period", "setting"),
    [
        (10_000, "set `step: 10s, max_gap: 30s` in class pump"),
        (10_300, "set `step: 10s, max_gap: 30s` in class pump"),
        (60_000, "set `step: 1m, max_gap: 5m` in class pump"),
        (900_000, "set `step: 15m, max_gap: 1h` in class pump"),
    ],
)
def test_slow_readings_are_told_with_the_settings_that_suit_them(found, period, setting):
    slow = readings("p1", every(period, 300))
    quality = found(p1=slow, p2=readings("p2", every(period, 300)))
    (sentence,) = sentences(quality, "max-gap-too-short")
    assert sentence.startswith("pump: readings come every ")
    assert "max_gap is 5 s" in sentence
    assert sentence.endswith(setting)
    assert {one.grade for one in quality.assets} == {"doubtful"}


def test_a_step_that_only_repeats_values_is_told(found, tmp_path):
    site = pump_site(tmp_path, max_gap="30s")
    ts = every(10_000, 300)
    quality = found(site=site, p1=readings("p1", ts), p2=readings("p2", ts))
    (sentence,) = sentences(quality, "step-too-short")
    assert "readings come every 10 s, step is 1 s" in sentence
    assert "`step: 10s, max_gap: 30s`" in sentence


def test_one_slow_sensor_is_named(found):
    fast = readings("p1", every(1_000, 600), sensors=SENSORS[:2])
    slow = readings("p1", every(60_000, 30), sensors=SENSORS[2:])
    quality = found(p1=fast + slow, p2=readings("p2", every(1_000, 600), sensors=SENSORS[:2]))
    (sentence,) = sentences(quality, "max-gap-too-short")
    assert "readings of motor current come every 1 min, max_gap is 5 s" in sentence
    assert "`step: 1s, max_gap: 5m`" in sentence


def test_an_import_gives_the_same_advice(tmp_path):
    site, history = pump_site(tmp_path), History(tmp_path)
    for asset in ("p1", "p2"):
        history.commit("s", readings(asset, every(10_000, 2_000)), key=asset)
    (finding,) = first_look(history, site.classes, site.assets)
    assert finding.sentence in sentences(assess(site, history), "max-gap-too-short")
    history.drop("s", ["p2"])
    assert [one.kind for one in first_look(history, site.classes, site.assets)] == ["no-readings", "max-gap-too-short"]


def tagged(folder, **tags) -> Site:
    site = pump_site(folder)
    assets = {name: asset.model_copy(update={"tags": tags.get(name, {})}) for name, asset in site.assets.items()}
    return site.model_copy(update={"assets": assets})


def test_an_asset_without_readings_is_told_with_the_columns_of_its_file(tmp_path):
    history = History(tmp_path)
    site = tagged(tmp_path, p1={"flow": "FT-101.PV", "pressure": "PT-102.PV", "motor current": "PT-103.PV"})
    columns = ["PT-203.PV", "FT-201.PV", "PT-202.PV"]
    history.commit("s", readings("p1", every(1_000, 600)), key="p1.csv")
    state = {"names": {"asset": "p2"}, "unknown_columns": columns}
    history.commit("s", [], key="exports/p2.csv", state=state)
    (sentence,) = sentences(assess(site, history), "no-readings")
    assert sentence.startswith(
        "p2 has no readings, its file exports/p2.csv has columns PT-203.PV, FT-201.PV, PT-202.PV"
    )
    assert "give it `tags`" in sentence
    assert "as p1 has them" in sentence
    assert "`tags: {flow: FT-201.PV, pressure: PT-202.PV, motor current: PT-203.PV}`" in sentence
    state["unknown_columns"] = ["x", "y"]  # nothing like the tags of p1: no guess
    history.commit("s", [], key="exports/p2.csv", state=state)
    (sentence,) = sentences(assess(site, history), "no-readings")
    assert sentence.endswith("has columns x, y: give it `tags` (sensor: column)")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "p2 has no readings: import an export that contains it"),
        ({"unknown_columns": ["A", "B"]}, "columns A, B match no sensor or tag of the site"),
        ({"rejected": {"unknown-tag": 7}}, "7 readings were of tags that the site does not have"),
    ],
)
def test_other_assets_without_readings_get_what_is_known(tmp_path, state, words):
    history = History(tmp_path)
    history.commit("s", readings("p1", every(1_000, 600)), key="a.csv", state=state)
    quality = assess(pump_site(tmp_path), history)
    assert words in " ".join(sentences(quality, "no-readings"))
    assert [one.grade for one in quality.assets] == ["ready", "no readings"]


def test_a_sensor_without_readings_is_doubtful(found):
    quality = found(p1=readings("p1", every(1_000, 600), sensors=SENSORS[:2]))
    (sentence,) = sentences(quality, "no-readings")
    assert "p1 motor current: it has no readings" in sentence
    assert quality.assets[0].grade == "doubtful"
    assert quality.assets[0].complete == 0.0


def with_value(change) -> list[Batch]:
    values = noise(600)
    change(values)
    return readings("p1", every(1_000, 600), values)


@pytest.mark.parametrize(
    ("kind", "batches", "words"),
    [
        ("bad-quality", with_value(lambda v: v.put(range(150), NAN)), "25 % of its 600 readings have bad quality"),
        ("out-of-range", with_value(lambda v: v.put(range(60), 99.0)), "10 % of its readings are outside 0 to 16"),
        ("never-moves", with_value(lambda v: v.fill(3.0)), "it reads 3 in all of its 600 readings"),
        ("flat", with_value(lambda v: v.put(range(400), 3.0)), "it stands still in 67 % of its readings"),
        (
            "gaps",
            readings("p1", np.concatenate([every(1_000, 300), every(1_000, 300, START + 900_000)])),
            "gaps longer than 5 s, the longest 10 min from 2026-01-01T00:04:59Z",
        ),
        ("duplicates", readings("p1", every(1_000, 600)) + readings("p1", every(1_000, 5)), "5 readings repeat"),
        (
            "conflicts",
            readings("p1", every(1_000, 600)) + readings("p1", every(1_000, 5), np.full(5, 7.0)),
            "readings disagree at 5 instants",
        ),
        (
            "jitter",
            readings("p1", every(1_000, 600) + np.random.default_rng(0).integers(0, 900, 600)),
            "but 1 in 20 after less than",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value else "",
)
def test_each_kind_of_finding_about_a_sensor(found, kind, batches, words):
    quality = found(p1=batches)
    mine = [sentence for sentence in sentences(quality, kind) if sentence.startswith("p1 pressure")]
    assert len(mine) == 1, [finding.sentence for finding in quality.findings]
    assert words in mine[0]
    assert not [finding for finding in quality.findings if finding.asset == "p2"]


def test_too_little_normal_operation_is_told_in_rows_and_time(found, tmp_path):
    site = pump_site(tmp_path, running={"sensor": "motor current", "above": 5})
    quality = found(site=site, p1=readings("p1", every(1_000, 200)))
    one = quality.assets[0]
    assert one.grade == "not enough"
    assert one.needed == 240
    assert 60 < one.rows < 140  # about half of the time it stands
    assert "rows of normal operation, training needs 240: import" in one.why[0]


def test_only_normal_periods_without_exclusions_count(tmp_path):
    history, site = History(tmp_path), pump_site(tmp_path)
    history.commit("s", readings("p1", every(1_000, 3_600)))

    def rows(normal=(), exclude=()) -> int:
        def period(minutes):
            return {"start": at(minutes[0]), "end": at(minutes[1])}

        def at(minute):
            return datetime(2026, 1, 1, 0, minute, tzinfo=timezone.utc).isoformat()

        document = site.model_dump(mode="json", by_alias=True)
        document["assets"]["p1"]["normal"] = [period(one) for one in normal]
        document["exclude"] = [period(one) for one in exclude]
        return assess(Site.model_validate(document), history, ["p1"]).assets[0].rows

    assert rows() == 3605
    assert rows(normal=[(0, 10), (5, 20)]) == 1200
    assert rows(exclude=[(0, 30)]) == 1805
    assert rows(normal=[(0, 20)], exclude=[(10, 15), (50, 55)]) == 900
    assert rows(exclude=[(0, 30), (30, 59)]) == 65


# -- clocks ---------------------------------------------------------------------------------------------

SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=timezone.utc), datetime(2026, 10, 25, 1, tzinfo=timezone.utc)
MINUTE = 60_000


def around(change: datetime) -> np.ndarray:
    return every(MINUTE, 720, int((change - timedelta(hours=6)).timestamp()) * 1_000)


def hour(change: datetime) -> int:
    return int(change.timestamp()) * 1_000


@pytest.mark.parametrize("shift", [-1, 0, 1, 2], ids="{:+}h".format)
@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_an_hour_that_is_missing_when_clocks_change_is_told(found, tmp_path, change, shift):
    site = pump_site(tmp_path, step="1m", max_gap="5m")
    ts = around(change)
    begun = hour(change) + shift * 60 * MINUTE
    with_hole = ts[(ts < begun) | (ts >= begun + 60 * MINUTE)]
    quality = found(site=site, p1=readings("p1", with_hole), p2=readings("p2", ts))
    (sentence,) = sentences(quality, "missing-hour")
    assert sentence.startswith("p1: an hour without readings from 2026-")
    assert "`timezone`" in sentence


@pytest.mark.parametrize("offset", [0, 30_000], ids=["the same instants", "between"])
def test_an_hour_that_is_double_when_clocks_go_back_is_told(found, tmp_path, offset):
    site = pump_site(tmp_path, step="1m", max_gap="5m")
    ts = around(AUTUMN)
    again = ts[(ts >= hour(AUTUMN)) & (ts < hour(AUTUMN) + 60 * MINUTE)] + offset
    twice = readings("p1", ts) + readings("p1", again, noise(len(again), 9.0))
    (sentence,) = sentences(found(site=site, p1=twice, p2=readings("p2", ts)), "double-hour")
    assert sentence.startswith("p1: a double hour from 2026-10-25T01:00:00Z")


def test_steps_of_a_clock_are_told_and_a_late_reading_is_none(found, tmp_path):
    site = pump_site(tmp_path, step="10s", max_gap="30s")
    stepped = every(10_000, 600)
    stepped[200:] += 3_000
    stepped[400:] += 2_000
    late = every(10_000, 600)
    late[[100, 300]] += 3_000
    (sentence,) = sentences(found(site=site, p1=readings("p1", stepped), p2=readings("p2", late)), "clock-step")
    assert "p1: its clock steps 2 times, first by 3 s at 2026-01-01T00:33:23Z" in sentence


# -- units ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sensor", "unit", "usual", "other", "words"),
    [
        ("pressure", "bar", [5, 6, 4.5], 550, "bar and kPa"),
        ("pressure", "bar", [5, 6, 4.5], 5_200, "bar and mbar"),
        ("pressure", "bar", [5, 6, 4.5], 75, "psi and bar"),
        ("flow", "", [-5, -6, -4.5], -52, "tenths"),
        ("flow", "°C", [61, 64, 58], 335, "K and °C"),
        ("flow", "°C", [61, 64, 58], 143, "°F and °C"),
        ("flow", "°C", [61, 64, 58], 70, None),
        ("flow", "m/s", [5, 6, 4.5], 8, None),
        ("flow", "m/s", [5, 500, 50_000], 8, None),
        ("flow", "m/s", [5, 6, 4.5], 0, None),
    ],
)
def test_a_unit_that_differs_from_the_others_is_suspected(tmp_path, sensor, unit, usual, other, words):
    document = pump_site(tmp_path).model_dump(mode="json", by_alias=True)
    names = [f"p{number}" for number in range(len(usual) + 1)]
    document["assets"] = {name: {"class": "pump"} for name in names}
    document["classes"]["pump"]["sensors"] = [{"name": sensor, "unit": unit}]
    history = History(tmp_path)
    for name, middle in zip(names, [*usual, other], strict=True):
        history.commit("s", readings(name, every(1_000, 600), noise(600, middle), [sensor]), key=name)
    found = sentences(assess(Site.model_validate(document), history), "unit")
    if words is None:
        assert found == []
    else:
        (sentence,) = found
        assert sentence.startswith(f"{names[-1]} {sensor}: its median is ")
        assert words in sentence


# -- many, compacted, divided ---------------------------------------------------------------------------


def test_findings_of_one_kind_are_shown_a_few_and_counted():
    from eugenie_cli.history.assessment.findings import Finding

    many = [Finding("gaps", "doubtful", "pump", f"p{n}", None, f"p{n}: gap", "do") for n in range(9)]
    lines = list(finding_lines(many))
    assert lines[:3] == [f"doubtful: p{n}: gap: do" for n in range(3)]
    assert lines[3:] == ["doubtful: and 6 more of pump (gaps); -o json lists all"]


READING = st.tuples(
    st.sampled_from(["p1", "p2"]),
    st.sampled_from([*SENSORS, "unknown"]),
    st.integers(0, 40).map(lambda n: n * 700),
    st.sampled_from([1.0, 2.0, 20.0, NAN]),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(exports=st.lists(st.lists(READING, max_size=30), max_size=4), size=st.sampled_from([1, 10, 1_000_000]))
def test_any_readings_are_assessed_like_the_reference(tmp_path_factory, exports, size):
    """By one sensor at a time, from `History.read` and `align`; compacted or not, in blocks of any size."""
    folder = tmp_path_factory.mktemp("history")
    site, history = pump_site(folder), History(folder)
    for age, rows in enumerate(exports, 1):
        history.commit("s", [Batch.of(rows)] if rows else [], key=str(age), state={"exported": age})
    read, patch = measurements.blocks, pytest.MonkeyPatch()
    patch.setattr("eugenie_cli.history.quality.blocks", lambda history, wanted: read(history, wanted, size))
    with patch.context():
        results = assess(site, history).sensors
        compact(history, "s") if exports else None
        assert assess(site, history).sensors == results
    patch.undo()
    for one in results:
        own = history.read(one.asset)
        rows = own.sensor == (own.names.index(one.sensor) if one.sensor in own.names else -1)
        ts, value = own.ts[rows], own.value[rows]
        assert one.readings == len(ts)
        if not len(ts):
            continue
        low, high = (0, 16) if one.sensor == "pressure" else (-np.inf, np.inf)
        outside = (value < low) | (value > high)
        good = ~outside & ~np.isnan(value)
        assert (one.start_ms, one.end_ms) == (ts[0], ts[-1])
        assert one.median_period_ms == (int(np.median(np.diff(ts))) if len(ts) > 1 else None)
        assert (one.bad, one.out_of_range) == pytest.approx((np.isnan(value).mean(), outside.mean()))
        gaps = np.diff(ts[good])
        assert one.longest_gap_ms == (gaps.max() if len(gaps) else None)
        assert one.longest_gap_start_ms == (ts[good][gaps.argmax()] if len(gaps) else None)
        assert (one.repeated, one.conflicts) == (own.repeated[one.sensor], own.conflicts[one.sensor])
        assert one.median == (np.sort(value[good])[(good.sum() - 1) // 2] if good.any() else None)
        alone = AssetReadings("a", ("x",), np.zeros(len(ts), np.int32), ts, np.where(outside, NAN, value))
        grid = align(alone, sensors=["x"], step_ms=1_000, max_gap_ms=5_000)
        span = (ts[-1] - ts[0]) // 1_000 + 1
        assert one.filled == pytest.approx(min(1.0, np.isfinite(grid.rows).sum() / span))


@given(st.integers(1, 10**9))
def test_suggested_durations_are_close_and_long_enough(duration):
    assert up(duration) >= duration
    assert abs(near(duration) - duration) <= max(0.1 * duration, 1)
