"""A detector whose tables lack an entry for an asset is refused: every type, every table."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import classical_plant, sample_detector

from eugenie_cli.detection.asset_tables import asset_tables
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.detectors import registry

COMMON = {"mean", "deviation", "threshold", "calibration.assets", "used"}
CHART = {"statistic.mean", "statistic.deviation", "statistic.whitening"}
PCA = {"statistic.precision", "statistic.loadings", "statistic.variances"}
FORECASTER = {
    *COMMON,
    *(f"{baseline}.{table}" for baseline in ("residual", "level") for table in ("mean", "deviation", "whitening")),
    "scatter.offset",
    "scatter.normal",
}
TABLES = {
    "auto": FORECASTER | {"units_of_parts"},
    "lstm": FORECASTER,
    "minlstm": FORECASTER,
    "pca-q": COMMON | PCA,
    "pca-t2": COMMON | PCA,
    "mewma": COMMON | CHART,
    "isolation-forest": COMMON,
    "last-value": COMMON | CHART,
}


@functools.cache
def detector(name: str) -> TrainedDetector:
    """A detector of three assets; nothing else in it has a length of three."""
    if name not in registry.FORECASTERS:
        return classical_plant.detector(name)
    made = sample_detector.detector(horizons=(1, 5), kind=name)
    return replace(made, used=np.ones((len(made.assets), len(made.sensors)), bool))


def changed(owner: Any, name: str, entries: list[int]) -> Any:
    """`owner` with these entries of the table `name`, in which dots lead into nested dataclasses."""
    first, _, rest = name.partition(".")
    value = getattr(owner, first)
    if rest:
        return replace(owner, **{first: changed(value, rest, entries)})
    table = value[entries] if isinstance(value, np.ndarray) else tuple(value[entry] for entry in entries)
    return replace(owner, **{first: table})


def test_the_types_here_are_all_types() -> None:
    assert tuple(TABLES) == registry.NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_the_tables_of_assets_are_these(name: str) -> None:
    assert {table for table, _ in asset_tables(detector(name))} == TABLES[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_no_array_with_a_length_of_the_assets_is_left_undeclared(name: str) -> None:
    made = detector(name)
    arrays = registry.of(name).arrays(made)
    assert {key for key, array in arrays.items() if array.shape[:1] == (len(made.assets),)} <= TABLES[name]


@pytest.mark.parametrize("entries", [[0, 1], [0, 1, 2, 0]], ids=["too short", "too long"])
@pytest.mark.parametrize(("name", "table"), [(name, table) for name in TABLES for table in sorted(TABLES[name])])
def test_a_table_with_another_number_of_entries_is_refused_by_name(name: str, table: str, entries: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"each of the 3 assets: {table} has {len(entries)}$"):
        changed(detector(name), table, entries)


def test_every_table_that_is_wrong_is_named() -> None:
    made = detector("lstm")
    with pytest.raises(ValueError, match=r"each of the 2 assets: mean has 3, .*scatter\.normal has 3"):
        replace(made, assets=made.assets[:2])


def test_a_version_from_before_sensors_were_told_to_move_has_no_such_table() -> None:
    made = replace(detector("lstm"), used=None)
    assert {table for table, _ in asset_tables(made)} == TABLES["lstm"] - {"used"}
