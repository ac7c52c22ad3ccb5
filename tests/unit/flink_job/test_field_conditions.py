"""Conditions of plants: each affects its own asset only, and every reading is accounted for."""

from __future__ import annotations

import re

import pytest
from support.documents import ROOT
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


# -- the page for users --

PAGE = (ROOT / "docs" / "field-conditions.md").read_text("utf-8")


def test_the_page_lists_every_condition():
    listed = set(re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE))
    missing = [f"| {one.name} | {one.does} |" for one in CONDITIONS.values() if (one.name, one.does) not in listed]
    assert not missing, "\n".join(["docs/field-conditions.md lacks:", *missing])
    assert len(CONDITIONS) >= 40


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`((?:test_|check_|kill_|interrupt_)\w+)`", PAGE))
    functions = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) >= 20 and named <= functions, named - functions
