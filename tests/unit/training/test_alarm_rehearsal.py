"""Going live is rehearsed on the history: drift that later rows show is forecast."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.history.grid import Grid
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training import alarm_rehearsal
from eugenie_cli.training.datasets import NormalGrid, split

STEP_MS = 60_000
ROWS = 6_000


def equipment(kind: str = "pca-q") -> EquipmentClass:
    return EquipmentClass.model_validate(
        {
            "sensors": [{"name": name, "role": "scored"} for name in ("flow", "pressure", "current")],
            "step": "1m",
            "max_gap": "1m",
            "model": {"type": kind, "window": 20},
        }
    )


def grid(asset: str, drift: float = 0.0, rows: int = ROWS, seed: int = 0) -> NormalGrid:
    """Normal rows of a machine whose sensors wander off together by `drift` deviations in all, from half-time on."""
    noise = np.random.default_rng(seed).normal(size=(rows, 3))
    late = np.clip(np.arange(rows) / rows - 0.5, 0, None)[:, None] * 2
    values = (50 + noise + drift * late * [1, -1, 0]).astype(np.float32)
    edges = np.arange(rows) * STEP_MS
    return split(Grid(asset, edges, values), np.ones(rows, bool), 0.25)


def test_a_steady_plant_is_expected_to_stay_within_the_budget() -> None:
    rehearsed = alarm_rehearsal.rehearse(equipment(), [grid("a"), grid("b", seed=1)])
    assert len(rehearsed) == len(alarm_rehearsal.ORIGINS)
    assert all(expected.all.rows.high < 0.01 for expected in rehearsed)
    assert all(set(expected.assets) == {"a", "b"} for expected in rehearsed)


def test_a_plant_that_wanders_off_is_expected_to_alarm_and_the_asset_is_known() -> None:
    rehearsed = alarm_rehearsal.rehearse(equipment("mewma"), [grid("steady"), grid("drifting", drift=8, seed=1)])
    worst = rehearsed[0]
    assert worst.assets["drifting"].rows.high > 0.2
    assert worst.assets["steady"].rows.high < 0.05
    assert worst.all.rows.high > 0.1


def test_mewma_stands_in_for_a_network() -> None:
    assert alarm_rehearsal.stand_in(equipment("lstm")).type == "mewma"
    assert alarm_rehearsal.stand_in(equipment("pca-q")).type == "pca-q"


@pytest.mark.parametrize("rows", [60, 100])
def test_a_history_too_short_is_not_rehearsed(rows: int) -> None:
    assert len(alarm_rehearsal.rehearse(equipment(), [grid("a", rows=rows)])) < len(alarm_rehearsal.ORIGINS)


def test_a_long_history_is_sampled_over_all_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_rehearsal, "MOST_ROWS", 2_500)
    rehearsed = alarm_rehearsal.rehearse(equipment("mewma"), [grid("drifting", drift=8)])
    assert rehearsed[0].all.rows.high > 0.1
