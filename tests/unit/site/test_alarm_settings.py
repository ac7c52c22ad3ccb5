"""`alarm:` in the site file: the budget in both forms, and what is said about others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eugenie_cli.detection.alarm_policy import DAY_MS, AlarmBudget
from eugenie_cli.site.alarm_settings import Alarm, parse_budget, show_budget


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("1 per 90d", AlarmBudget(1, 90 * DAY_MS)),
        ("2 per 12h", AlarmBudget(2, DAY_MS // 2)),
        ("0.5  per  30d", AlarmBudget(0.5, 30 * DAY_MS)),
        (0.01, 0.01),
        ("0.01", 0.01),
    ],
)
def test_a_budget_is_alarms_in_a_time_or_a_share_of_rows(text, budget):
    assert Alarm.model_validate({"budget": text}).budget == budget


def test_the_default_is_an_alarm_in_90_days_with_delays_chosen_in_training():
    alarm = Alarm.model_validate({})
    assert alarm.budget == AlarmBudget(1, 90 * DAY_MS)
    assert (alarm.on_delay, alarm.off_delay) == (None, None)
    assert alarm.budget.per_day == pytest.approx(1 / 90)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("1 per quarter", "'quarter' is no time"),
        ("1 per 90", "'90' is no time"),
        ("1 per 0d", "'0d' is no time"),
        ("0 per 90d", "by any threshold"),
        ("one per 90d", "write alarms of an asset in a time"),
        ("90d", "1 per 90d"),
        (0, "between 0 and 1"),
        (1, "between 0 and 1"),
        (-0.1, "between 0 and 1"),
        ("nan", "between 0 and 1"),
        (True, "between 0 and 1"),
        (None, "1 per 90d"),
        ([0.01], "1 per 90d"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(wrong, words):
    with pytest.raises(ValidationError, match=words) as refused:
        Alarm.model_validate({"budget": wrong})
    assert refused.value.errors()[0]["loc"] == ("budget",)
    assert len(refused.value.errors()) == 1


@given(st.integers(1, 20), st.integers(1, 10**11))
def test_a_budget_is_read_as_it_is_shown(episodes, period_ms):
    budget = AlarmBudget(episodes, period_ms)
    assert parse_budget(show_budget(budget)) == budget


def test_the_site_file_is_dumped_as_it_is_written():
    assert Alarm.model_validate({"budget": "1 per 90d"}).model_dump(mode="json")["budget"] == "1 per 90d"
    assert Alarm.model_validate({"budget": 0.02}).model_dump(mode="json")["budget"] == 0.02
