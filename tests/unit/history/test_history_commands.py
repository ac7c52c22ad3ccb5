"""`eugenie import` and `eugenie history` as they are typed."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from eugenie_cli.main import app

SITE = """
site: plant
sources:
  - {name: exports, type: csv, path: "exports/*.csv", readings: {shape: wide, asset: {file: "{stem}"}}}
classes: {pump: {sensors: [{name: flow}, {name: pressure}]}}
assets: {p1: {class: pump}, p2: {class: pump}}
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    (tmp_path / "site-configs").mkdir()
    (tmp_path / "site-configs" / "plant.yaml").write_text(SITE)
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "p1.csv").write_text("ts,flow,pressure\n2026-01-03T06:00:00Z,1,Bad\nsoon,1,2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUGENIE_SITE", raising=False)
    return tmp_path


def run(*words: str, code: int = 0):
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_import_prints_a_table_and_says_what_was_turned_away(plant):
    result = run("import")
    line = next(line for line in result.stdout.splitlines() if "exports" in line)
    assert line.split()[:7] == ["exports", "1", "0", "0", "0", "2", "1"]
    assert "p1.csv:3: 'soon'" in result.stderr


def test_import_json_is_only_json(plant):
    (report,) = json.loads(run("import", "exports", "-o", "json").stdout)
    assert (report["new"], report["readings"], report["rejected"]) == (1, 2, {"bad-timestamp": 1})


def test_a_file_that_fails_beside_others_is_exit_code_6(plant):
    (plant / "exports" / "p2.csv").write_text("when,flow\n1,2\n")
    assert "no column 'ts'" in run("import", code=6).stderr


def test_history_show_and_quality(plant):
    run("import")
    shown = json.loads(run("history", "show", "-o", "json").stdout)
    assert [(asset["asset"], asset["readings"]) for asset in shown["assets"]] == [("p1", 2), ("p2", 0)]
    assert len(shown["fingerprint"]) == 64
    assert "2026-01-03T06:00:00Z" in run("history", "show").stdout
    quality = json.loads(run("history", "quality", "p1", "-o", "json").stdout)
    assert [(sensor["sensor"], sensor["bad"]) for sensor in quality] == [("flow", 0.0), ("pressure", 1.0)]
    assert "100.0 %" in run("history", "quality").stdout
