"""Which rows count as normal, and how they are divided into parts."""

from __future__ import annotations

import numpy as np

from eugenie_cli.history.grid import Grid
from eugenie_cli.site.schema import Site
from eugenie_cli.training import datasets
from eugenie_cli.training.datasets import CALIBRATION, TRAINING, UNUSED, VALIDATION

SITE = Site.model_validate(
    {
        "site": "s",
        "classes": {"pump": {"sensors": [{"name": "flow"}]}},
        "assets": {
            "a": {"class": "pump", "normal": [{"start": "1970-01-01T00:00:10Z", "end": "1970-01-01T00:01:00Z"}]},
            "b": {"class": "pump"},
        },
        "exclude": [
            {"start": "1970-01-01T00:00:20Z", "end": "1970-01-01T00:00:25Z"},
            {"start": "1970-01-01T00:00:30Z", "end": "1970-01-01T00:00:31Z", "asset": "b"},
        ],
    }
)


def grid(asset: str, rows: int = 100) -> Grid:
    return Grid(asset, np.arange(rows) * 1000, np.arange(rows, dtype=np.float32)[:, None])


def test_normal_is_the_given_periods_without_the_exclusions() -> None:
    a = np.flatnonzero(datasets.normal_rows(SITE.fleet("pump"), grid("a")))
    b = np.flatnonzero(~datasets.normal_rows(SITE.fleet("pump"), grid("b")))
    assert a.tolist() == [*range(10, 20), *range(25, 60)]
    assert b.tolist() == [20, 21, 22, 23, 24, 30]


def test_the_parts_are_consecutive_and_the_last_rows_calibrate() -> None:
    own = grid("b", 1000)
    divided = datasets.split(own, datasets.normal_rows(SITE.fleet("pump"), own), 0.25)
    used = divided.part[divided.part != UNUSED]
    assert (np.diff(used) >= 0).all()
    assert [int((used == part).sum()) for part in (TRAINING, VALIDATION, CALIBRATION)] == [655, 90, 249]
    assert np.isnan(divided.rows[divided.part == UNUSED]).all()


def test_rows_without_any_value_belong_to_no_part() -> None:
    own = grid("b", 200)
    own.rows[50:80] = np.nan
    divided = datasets.split(own, np.ones(200, bool), 0.5)
    assert (divided.part[50:80] == UNUSED).all()
    assert divided.count(CALIBRATION) == 85


def test_windows_with_too_many_missing_rows_are_excluded() -> None:
    own = grid("b", 60)
    own.rows[20:23] = np.nan
    part = np.where(np.isfinite(own.rows[:, 0]), TRAINING, UNUSED)
    (ends,) = datasets.window_ends(own.rows, part, TRAINING, 10)
    assert ends[0] == 9
    # three of ten rows missing is too many: windows ending at 23..29 hold all three
    assert set(range(23, 30)).isdisjoint(ends)
    assert {30, 31, 59} <= set(ends)


def test_the_fingerprint_changes_with_the_data() -> None:
    changed = grid("b")
    changed.rows[3] += 1
    prints = [
        datasets.fingerprint([datasets.split(own, np.ones(100, bool), 0.25)]) for own in (grid("b"), grid("b"), changed)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_rows_of_a_stopped_machine_are_not_normal() -> None:
    document = SITE.model_dump(mode="json", by_alias=True)
    document["classes"]["pump"]["running"] = {"sensor": "flow", "above": 40}
    site = Site.model_validate(document)
    a = np.flatnonzero(datasets.normal_rows(site.fleet("pump"), grid("a")))
    assert a.tolist() == list(range(41, 60))
    divided = datasets.split(grid("b"), datasets.normal_rows(site.fleet("pump"), grid("b")), 0.25)
    assert np.isnan(divided.rows[:41]).all()
    assert datasets.running_of(SITE.classes["pump"]) is None
