"""The parts of the forecaster's statistic together."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection import combination


def test_parts_at_their_units_make_one() -> None:
    units = np.array([0.5, 2.0, 30.0, 4.0], np.float32)
    assert combination.combine(units, units) == pytest.approx(1.0)


@pytest.mark.parametrize("part", range(combination.COUNT))
def test_one_part_alone_raises_an_alarm_when_it_is_far_out(part: int) -> None:
    """The others at half of their units: a geometric mean would need the one at eight times its unit."""
    parts = np.full(combination.COUNT, 0.5)
    parts[part] = 4.0
    assert combination.combine(parts, np.ones(combination.COUNT)) > 1.0
    parts[part] = 1.5
    assert combination.combine(parts, np.ones(combination.COUNT)) < 1.0


@pytest.mark.parametrize(("part", "counts"), [(0, False), (1, True), (2, True), (3, True)])
def test_a_part_counts_by_itself_where_the_others_see_nothing(part: int, counts: bool) -> None:
    parts = np.zeros(combination.COUNT)
    parts[part] = 1.05 * combination.TIMES_ALONE
    assert (combination.combine(parts, np.ones(combination.COUNT)) > 1.0) == counts


def test_the_statistic_does_not_depend_on_the_scale_of_a_part() -> None:
    random = np.random.default_rng(0)
    parts = [random.gamma(2, size=(2000, combination.COUNT)) for _ in range(2)]
    factor = np.array([1.0, 100.0, 1e-3, 7.0])
    plain, scaled = combination.units(parts), combination.units([part * factor for part in parts])
    for own, other, rows in zip(plain, scaled, parts, strict=True):
        np.testing.assert_allclose(combination.combine(rows * factor, other), combination.combine(rows, own), rtol=1e-4)


def test_an_asset_with_few_rows_has_the_units_of_its_class() -> None:
    random = np.random.default_rng(0)
    long, short = random.gamma(2, size=(2000, combination.COUNT)), random.gamma(2, size=(10, combination.COUNT)) * 9
    own, pooled = combination.units([long, short])
    np.testing.assert_allclose(pooled, combination.units([np.concatenate([long, short])])[0])
    assert (pooled != own).all()
