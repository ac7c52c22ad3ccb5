"""Whether a new version may replace the champion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation import promotion_gate
from eugenie_cli.site.promotion import PromotionGate

GOLDEN = Path(__file__).parents[2] / "golden" / "evaluate"
LABELS: dict[str, Any] = json.loads((GOLDEN / "labels.json").read_text())
NO_LABELS: dict[str, Any] = json.loads((GOLDEN / "no-labels.json").read_text())
"""Output of `eugenie evaluate -o json`."""


def newer(champion: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**champion, "version": champion["version"] + 1, **changes}


def events(detected: int) -> dict[str, Any]:
    return {**LABELS["events"], "detected": detected}


@pytest.mark.parametrize(
    ("changes", "promoted"),
    [
        ({}, True),
        ({"events": events(16)}, True),
        ({"events": events(14)}, False),
        ({"false_alarms_per_asset_day": 90.5 * 1.2}, True),
        ({"false_alarms_per_asset_day": 90.5 * 1.3}, False),
        ({"coverage": 0.96}, True),
        ({"coverage": 0.9}, False),
        ({"judged_rows": 0}, False),
    ],
)
def test_with_labels_faults_count_and_false_alarms(changes, promoted):
    verdict = promotion_gate.judge(newer(LABELS, **changes), LABELS)
    assert verdict.promote is promoted
    assert verdict.reasons


@pytest.mark.parametrize(("rate", "promoted"), [(190.0, True), (240.0, True), (250.0, False)])
def test_without_labels_the_rate_of_anomalies_counts(rate, promoted):
    champion = {**NO_LABELS, "anomalies_per_asset_day": 196.1}
    assert promotion_gate.judge(newer(champion, anomalies_per_asset_day=rate), champion).promote is promoted


def test_a_quarter_more_of_nearly_none_is_none():
    champion = {**NO_LABELS, "anomalies_per_asset_day": 0.0}
    assert promotion_gate.judge(newer(champion, anomalies_per_asset_day=0.4), champion).promote
    assert not promotion_gate.judge(newer(champion, anomalies_per_asset_day=0.6), champion).promote


def asset(name: str, alarms: int, flagged: float = 0.0, labelled: bool = True) -> dict[str, Any]:
    return {"asset": name, "alarms": alarms, "false_alarms": alarms if labelled else None, "flagged": flagged}


def fault(hour: int, delay: float | None) -> dict[str, Any]:
    return {"asset": "p-1", "start": f"2026-01-01T{hour:02}:00:00.000Z", "end": "later", "delay_s": delay}


def test_a_late_find_of_what_the_champion_missed_is_no_delay():
    champion = {**LABELS, "event_list": [fault(1, 40.0), fault(2, 50.0), fault(3, None)]}
    also_the_third = [fault(1, 40.0), fault(2, 50.0), fault(3, 900.0)]
    assert promotion_gate.judge(newer(champion, event_list=also_the_third), champion).promote
    later = promotion_gate.judge(newer(champion, event_list=[fault(1, 41.0), fault(2, 51.0)]), champion)
    assert later.against == ("median delay of the faults that both found: 46.0 s, the champion 45.0 s",)
    slower = newer(champion, event_list=[fault(1, 40.0), fault(2, 52.0)])
    assert promotion_gate.judge(slower, champion, PromotionGate(later="1s")).promote


def test_without_labels_the_share_of_rows_above_1_is_held_against_the_budget():
    champion = {**NO_LABELS, "flagged": 0.004, "budget": 0.01}
    assert promotion_gate.judge(newer(champion, flagged=0.0099), champion).promote
    refused = promotion_gate.judge(newer(champion, flagged=0.011), champion)
    assert refused.against == ("share of rows above 1: 1.10%, at most 1.00% allowed: budget 1.00%, the champion 0.40%",)
    assert promotion_gate.judge(newer(champion, flagged=0.011), champion, PromotionGate(budget=0.02)).promote


def test_a_single_asset_may_not_pay_for_the_others():
    champion = {**LABELS, "by_asset": [asset("p-1", 10), asset("p-2", 0)]}
    for alarms, promoted in (((20, 3), True), ((21, 0), False), ((0, 4), False)):
        by_asset = [asset("p-1", alarms[0]), asset("p-2", alarms[1])]
        verdict = promotion_gate.judge(newer(champion, by_asset=by_asset), champion)
        assert verdict.promote is promoted
    (reason,) = verdict.against
    assert reason == "assets with more than 2 times the champion's alarms: p-2 4 false alarms, the champion 0"
    quiet = {**NO_LABELS, "budget": 0.01, "by_asset": [asset("p-1", 1, 0.004, labelled=False)]}
    loud = newer(quiet, by_asset=[asset("p-1", 1, 0.02, labelled=False)])
    assert not promotion_gate.judge(loud, quiet).promote


def test_the_settings_that_an_evaluation_carries_are_the_ones_that_count():
    fewer = newer(LABELS, events=events(14))
    assert not promotion_gate.judge(fewer, LABELS).promote
    carried = PromotionGate(fewer_found=1, last="30d").model_dump(mode="json")
    assert promotion_gate.judge({**fewer, "promotion": carried}, LABELS).promote


def test_the_first_version_is_champion_already():
    assert promotion_gate.judge(LABELS, LABELS).promote


def test_versions_of_two_classes_are_not_compared():
    with pytest.raises(EugenieError, match="cannot be compared"):
        promotion_gate.judge(newer(LABELS, **{"class": "fan"}), LABELS)


def test_the_program_prints_the_decision_alone(tmp_path, capsys):
    for name, document in (("new", newer(LABELS, events=events(3))), ("old", LABELS)):
        (tmp_path / name).write_text(json.dumps(document))
    assert promotion_gate.main([str(tmp_path / "new"), str(tmp_path / "old")]) == 0
    out, err = capsys.readouterr()
    assert out == "keep"
    assert "faults found: 3 of 16, the champion 15 of 16" in err


def test_the_program_takes_an_evaluation_with_a_candidate(tmp_path, capsys):
    (tmp_path / "both").write_text(json.dumps({**LABELS, "candidate": {"version": 8, "events": events(3)}}))
    assert promotion_gate.main([str(tmp_path / "both")]) == 0
    assert capsys.readouterr().out == "keep"
    (tmp_path / "one").write_text(json.dumps(LABELS))
    assert promotion_gate.main([str(tmp_path / "one")]) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"class": "pump", "version": 1}'])
def test_the_program_takes_nothing_but_evaluations(tmp_path, capsys, text):
    (tmp_path / "new").write_text(text)
    (tmp_path / "old").write_text(json.dumps(LABELS))
    assert promotion_gate.main([str(tmp_path / "new"), str(tmp_path / "old")]) == 2
    assert capsys.readouterr().out == ""
