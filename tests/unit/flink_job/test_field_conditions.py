"""Conditions of plants: each affects its own asset only, and every reading is accounted for."""

from __future__ import annotations

import pytest
from support.field_conditions import CONDITIONS, Count, Expected
from support.field_plant import ASSETS, Outcome, Plant, undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("name", CONDITIONS)
def test_the_others_are_scored_as_if_nothing_had_happened(name):
    expected, normal = CONDITIONS[name].expected, undisturbed()
    plant = Plant()
    CONDITIONS[name].happens(plant)
    outcome = plant.run()

    assert not outcome.unaccounted()
    check_dead_letters(expected, outcome)
    assert outcome.ignored == expected.ignored
    assert is_as(outcome.repeated, expected.repeated), outcome.repeated
    assert is_as(outcome.conflicts, expected.conflicts), outcome.conflicts
    for asset in ASSETS:
        if asset in expected.odd and expected.same is None:
            continue
        ahead = (expected.same or 0) if asset in expected.odd else 0
        assert outcome.scores(asset, ahead) == normal.scores(asset), asset
        if not ahead:
            assert outcome.episodes(asset) == normal.episodes(asset), asset
    for asset in ASSETS:
        if asset not in expected.odd and expected.prompt_ms is not None:
            assert outcome.longest_delay_ms(asset) <= expected.prompt_ms, asset
        marked = any("delayed" in row for row in outcome.rows[asset].values())
        if asset not in expected.odd:
            assert not marked, asset
        elif expected.is_delayed:
            assert marked
    if expected.said:
        assert expected.said in " ".join(outcome.reports[expected.odd[0]].lines)
        assert not outcome.reports.keys() & ({*ASSETS} - {*expected.odd})
    if expected.also:
        expected.also(outcome)


def check_dead_letters(expected: Expected, outcome: Outcome) -> None:
    assert outcome.dead.keys() == expected.dead.keys()
    for what, wanted in expected.dead.items():
        assert is_as(outcome.dead[what], wanted), (what, outcome.dead[what])


def is_as(count: int, wanted: Count) -> bool:
    return count in wanted if isinstance(wanted, range) else count == wanted
