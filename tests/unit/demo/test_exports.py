"""The demo's site file reads back every reading that the plant exports, from either file format."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from eugenie_cli.demo.exports import STALE_MS, export
from eugenie_cli.demo.plant.equipment import BOOSTER_PUMPS, FEED_PUMPS, PUMPS, pump
from eugenie_cli.demo.plant.plant import Plant
from eugenie_cli.demo.simulate import SITE_FILE, export_history
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT
from eugenie_cli.site.load import load_site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.workspace import shipped

START = 1_767_225_600_000 + 20 * 3_600_000  # the span crosses midnight
PLANT = Plant(4, START, START + 6 * 3_600_000)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    shutil.copy(shipped("templates") / SITE_FILE, folder)
    export(PLANT, folder, SILENT)
    site = load_site(folder / SITE_FILE)
    reports = import_sources(site)
    return open_history(site), reports, PLANT.history()


def of(samples, asset, sensor):
    index = [unit.name for unit in PUMPS].index(asset)
    return samples.where((samples.pump == index) & (samples.sensor == pump(asset).sensors.index(sensor)))


@pytest.mark.slow
def test_nothing_is_rejected_and_bad_quality_survives(imported):
    _, reports, _ = imported
    assert all(not report.rejected and not report.failed and not report.unknown_columns for report in reports)
    assert all(report.bad_quality > 0 for report in reports)


@pytest.mark.slow
@pytest.mark.parametrize("asset", [unit.name for unit in FEED_PUMPS])
def test_long_exports_are_read_back_to_the_last_digit(imported, asset):
    history, _, samples = imported
    readings = history.read(asset)
    for index, sensor in enumerate(readings.names):
        mine = of(samples, asset, sensor)
        ts, first = np.unique(mine.ts, return_index=True)  # duplicates are one reading
        np.testing.assert_array_equal(readings.ts[readings.sensor == index], ts)
        expected = np.where(mine.good[first], mine.value[first], np.nan)
        np.testing.assert_array_equal(readings.value[readings.sensor == index], expected)


@pytest.mark.slow
@pytest.mark.parametrize("asset", [unit.name for unit in BOOSTER_PUMPS])
def test_wide_exports_have_the_last_value_at_each_scan_despite_commas_and_local_time(imported, asset):
    history, _, samples = imported
    readings = history.read(asset)
    for index, sensor in enumerate(readings.names):
        mine = of(samples, asset, sensor)
        ts = readings.ts[readings.sensor == index]
        last = np.searchsorted(mine.ts, ts, side="right") - 1
        # an empty cell means that the sensor has no current value: it is read as bad quality
        current = (last >= 0) & (ts - mine.ts[last] <= STALE_MS) & mine.good[last]
        assert current.mean() > 0.97
        expected = np.where(current, mine.value[last], np.nan)
        np.testing.assert_array_equal(readings.value[readings.sensor == index], expected)


def test_the_site_file_matches_the_plant():
    site = load_site(shipped("templates") / SITE_FILE)
    assert set(site.assets) == {unit.name for unit in PUMPS}
    for unit in PUMPS:
        equipment = site.classes[site.assets[unit.name].class_name]
        assert equipment.sensor_names == unit.sensors
        assert [sensor.unit for sensor in equipment.sensors] == [instrument.unit for instrument in unit.instruments]
        assert all(site.assets[unit.name].tags.get(name, tag) == tag for name, tag in unit.tags.items())


def test_an_export_refuses_a_folder_with_other_files(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(EugenieError, match="is not empty"):
        export_history(tmp_path, 1, 0.1, SILENT)


@pytest.mark.slow
def test_another_export_replaces_the_earlier_one(tmp_path):
    export_history(tmp_path, 1, 0.2, SILENT)
    before = Plant.load(tmp_path)
    export_history(tmp_path, 2, 0.1, SILENT)
    assert Plant.load(tmp_path).seed == 2 != before.seed
    assert len(list((tmp_path / "exports" / "centrifugal-pump").glob("*.csv"))) <= 2
