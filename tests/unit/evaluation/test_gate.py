"""Whether a new version may take the champion's place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation import gate

GOLDEN = Path(__file__).parents[2] / "golden" / "evaluate"
LABELS: dict[str, Any] = json.loads((GOLDEN / "labels.json").read_text())
NO_LABELS: dict[str, Any] = json.loads((GOLDEN / "no-labels.json").read_text())
"""What `eugenie evaluate -o json` prints."""


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
    verdict = gate.judge(newer(LABELS, **changes), LABELS)
    assert verdict.promote is promoted
    assert verdict.reasons


@pytest.mark.parametrize(("rate", "promoted"), [(190.0, True), (240.0, True), (250.0, False)])
def test_without_labels_the_rate_of_anomalies_counts(rate, promoted):
    champion = {**NO_LABELS, "anomalies_per_asset_day": 196.1}
    assert gate.judge(newer(champion, anomalies_per_asset_day=rate), champion).promote is promoted


def test_a_quarter_more_of_nearly_none_is_none():
    champion = {**NO_LABELS, "anomalies_per_asset_day": 0.0}
    assert gate.judge(newer(champion, anomalies_per_asset_day=0.4), champion).promote
    assert not gate.judge(newer(champion, anomalies_per_asset_day=0.6), champion).promote


def test_the_first_version_is_champion_already():
    assert gate.judge(LABELS, LABELS).promote


def test_versions_of_two_classes_are_not_compared():
    with pytest.raises(EugenieError, match="cannot be compared"):
        gate.judge(newer(LABELS, **{"class": "fan"}), LABELS)


def test_the_program_prints_the_decision_alone(tmp_path, capsys):
    for name, one in (("new", newer(LABELS, events=events(3))), ("old", LABELS)):
        (tmp_path / name).write_text(json.dumps(one))
    assert gate.main([str(tmp_path / "new"), str(tmp_path / "old")]) == 0
    out, err = capsys.readouterr()
    assert out == "keep"
    assert "faults found: 3 of 16, the champion 15 of 16" in err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"class": "pump", "version": 1}'])
def test_the_program_takes_nothing_but_evaluations(tmp_path, capsys, text):
    (tmp_path / "new").write_text(text)
    (tmp_path / "old").write_text(json.dumps(LABELS))
    assert gate.main([str(tmp_path / "new"), str(tmp_path / "old")]) == 2
    assert capsys.readouterr().out == ""
