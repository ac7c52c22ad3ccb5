"""Which settings of a class make a new model, and which do not: every key has its line in the table."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import BaseModel

from eugenie_cli.history.grid import Grid
from eugenie_cli.progress import SILENT
from eugenie_cli.site.detectors import Detector
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training import datasets
from eugenie_cli.training.build import build
from eugenie_cli.training.fingerprint import recipe

NEW, SAME = True, False

KEYS: dict[str, tuple[Any, bool]] = {
    # of a sensor
    "sensors.name": ("c", NEW),
    "sensors.unit": ("degC", SAME),
    "sensors.low": (-1e9, SAME),  # the rows that it changes have a fingerprint of their own
    "sensors.high": (1e9, SAME),
    "sensors.role": ("scored", NEW),
    # of the class
    "step": ("2s", NEW),
    "max_gap": ("7s", NEW),
    "running.sensor": ("b", NEW),
    "running.above": (2.0, NEW),
    # what is made of scores
    "alarm.budget": (0.02, NEW),
    "alarm.on_delay": (7, SAME),  # where the budget is a share of rows
    "alarm.off_delay": (7, SAME),
    "alarm.cooldown": (7, SAME),
    "alarm.silence": ("70s", SAME),
    # of the gate
    "promotion.labels": ("other.csv", SAME),
    "promotion.start": ("2026-01-01T00:00:00Z", SAME),
    "promotion.end": ("2026-01-01T00:00:00Z", SAME),
    "promotion.last": ("1h", SAME),
    "promotion.fewer_found": (1, SAME),
    "promotion.early": ("1s", SAME),
    "promotion.later": ("1s", SAME),
    "promotion.budget": (0.5, SAME),
    "promotion.false_alarms": (0.1, SAME),
    "promotion.alarm_factor": (3.0, SAME),
    "promotion.asset_factor": (3.0, SAME),
    "promotion.alarm_time": (0.5, SAME),
    "promotion.most_alarm_time": (0.9, SAME),
    "promotion.least": ("1s", SAME),
    "promotion.fewer_scored": (0.5, SAME),
}
MODEL_KEYS: dict[str, Any] = {
    "window": 30, "calibration": 0.3, "warmup": 11, "horizons": [1, 2], "units": 5, "epochs": 3, "batch": 16,
    "learning_rate": 0.01, "seed": 7, "explained": 0.5, "smoothing": 0.5, "trees": 20, "samples": 64,
}  # fmt: skip
"""All settings of every type of detector make a new model."""

BASE: dict[str, Any] = {
    "sensors": [{"name": "a", "unit": "°C"}, {"name": "b"}],
    "running": {"sensor": "a", "above": 1.0},
    "model": {"type": "mewma", "window": 20},
    "promotion": {},
    "alarm": {"budget": 0.01},
}


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The keys of a section and of the sections in it, but for `model`, which is one of several."""
    for name, field in model.model_fields.items():
        if prefix + name == "model":
            continue
        inner = [kind for kind in _kinds(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            yield from leaves(inner[0], f"{prefix}{name}.")
        else:
            yield prefix + name


def _kinds(annotation: Any) -> list[Any]:
    return [annotation, *itertools.chain.from_iterable(_kinds(part) for part in get_args(annotation))]


def changed(key: str, value: Any) -> EquipmentClass:
    """The class with one key changed."""
    document = copy.deepcopy(BASE)
    section: Any = document
    *sections, last = key.split(".")
    for name in sections:
        section = section.setdefault(name, {})
        section = section[-1] if isinstance(section, list) else section
    section[last] = value
    return EquipmentClass.model_validate(document)


def types() -> list[type[BaseModel]]:
    return [kind for kind in _kinds(Detector) if isinstance(kind, type) and issubclass(kind, BaseModel)]


def test_every_key_of_a_class_is_in_the_table() -> None:
    assert set(leaves(EquipmentClass)) == set(KEYS)
    assert {name for kind in types() for name in kind.model_fields} - {"type"} == set(MODEL_KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_setting_makes_a_new_model_or_does_not(key: str) -> None:
    value, is_new = KEYS[key]
    before, after = EquipmentClass.model_validate(BASE), changed(key, value)
    assert before != after
    assert (recipe(before, "rows") != recipe(after, "rows")) is is_new


@pytest.mark.parametrize("kind", types(), ids=lambda kind: kind.model_fields["type"].annotation.__args__[0])
def test_every_setting_of_a_detector_makes_a_new_model(kind: type[BaseModel]) -> None:
    of_type = {"type": kind.model_fields["type"].annotation.__args__[0]}  # type: ignore[union-attr]
    recipes = [recipe(changed("model", of_type), "rows")]
    for name in set(kind.model_fields) - {"type"}:
        recipes.append(recipe(changed("model", {**of_type, name: MODEL_KEYS[name]}), "rows"))
    assert len(set(recipes)) == len(recipes)


def test_delays_make_a_new_model_where_the_budget_is_of_episodes() -> None:
    def with_alarm(**alarm: Any) -> str:
        return recipe(changed("alarm", alarm), "rows")

    of_episodes = {"budget": "1 per 30d"}
    changes = ({"on_delay": 7}, {"off_delay": 7}, {"silence": "70s"}, {"budget": "2 per 30d"}, {"budget": 0.01})
    recipes = [with_alarm(**{**of_episodes, **change}) for change in ({}, *changes)]
    assert len(set(recipes)) == len(recipes)
    assert with_alarm(**of_episodes, cooldown=7) == recipes[0]


def test_epochs_of_the_command_line_count_where_there_are_epochs() -> None:
    chart, forecaster = changed("model", {"type": "mewma"}), changed("model", {"type": "lstm"})
    assert recipe(chart, "rows", epochs=3) == recipe(chart, "rows")
    assert recipe(forecaster, "rows", epochs=3) != recipe(forecaster, "rows")
    assert recipe(forecaster, "rows", epochs=3) == recipe(changed("model", {"type": "lstm", "epochs": 3}), "rows")


def grids(order: int = 1) -> list[datasets.NormalGrid]:
    chance = np.random.default_rng(0)
    rows = {name: chance.normal(20, 1, (900, 2)).astype(np.float32) for name in ("p1", "p2")}
    edges = np.arange(900, dtype=np.int64) * 1000
    return [datasets.split(Grid(name, edges, rows[name]), np.ones(900, bool), 0.25) for name in [*rows][::order]]


def test_the_order_of_assets_is_no_other_data() -> None:
    assert datasets.fingerprint(grids()) == datasets.fingerprint(grids(-1))
    assert datasets.fingerprint(grids()) != datasets.fingerprint(grids()[:1])


@pytest.mark.parametrize("key", [key for key, (_, is_new) in KEYS.items() if not is_new])
def test_a_setting_that_makes_no_new_model_changes_no_number_of_it(key: str) -> None:
    before = build("pump", EquipmentClass.model_validate(BASE), grids(), SILENT).detector
    after = build("pump", changed(key, KEYS[key][0]), grids(), SILENT).detector
    for field in fields(before):
        if field.name not in ("units", "statistic", "calibration"):
            np.testing.assert_array_equal(getattr(before, field.name), getattr(after, field.name))
    was, became = before.calibration, after.calibration
    assert (was.budget, was.margin, was.rehearsal, was.assets) == (
        became.budget, became.margin, became.rehearsal, became.assets
    )  # fmt: skip
