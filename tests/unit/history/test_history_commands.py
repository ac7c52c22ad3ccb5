"""`eugenie import` and `eugenie history` on the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from eugenie_cli.errors import EugenieError
from eugenie_cli.main import app

pytestmark = pytest.mark.slow

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


def test_import_prints_a_table_and_the_rejected_rows(plant):
    result = run("import")
    line = next(line for line in result.stdout.splitlines() if "exports" in line)
    assert line.split()[:7] == ["exports", "1", "0", "0", "0", "2", "1"]
    assert "p1.csv:3: 'soon'" in result.stderr


def test_import_json_is_only_json(plant):
    (report,) = json.loads(run("import", "exports", "-o", "json").stdout)
    assert (report["new"], report["readings"], report["rejected"]) == (1, 2, {"bad-timestamp": 1})


def test_a_file_that_fails_among_others_gives_exit_code_6(plant):
    (plant / "exports" / "p2.csv").write_text("when,flow\n1,2\n")
    assert "no column 'ts'" in run("import", code=6).stderr


def test_history_show_and_quality(plant):
    run("import")
    shown = json.loads(run("history", "show", "-o", "json").stdout)
    assert [(asset["asset"], asset["readings"]) for asset in shown["assets"]] == [("p1", 2), ("p2", 0)]
    assert len(shown["fingerprint"]) == 64
    assert "2026-01-03T06:00:00Z" in run("history", "show").stdout
    quality = json.loads(run("history", "quality", "p1", "-o", "json").stdout)
    assert [(sensor["sensor"], sensor["bad"]) for sensor in quality["sensors"]] == [("flow", 0.0), ("pressure", 1.0)]
    assert [(one["asset"], one["grade"], one["needed"]) for one in quality["assets"]] == [("p1", "not enough", 240)]
    assert "100.0 %" in run("history", "quality").stdout
    worst = json.loads(run("history", "quality", "--class", "pump", "--worst", "1", "-o", "json").stdout)
    assert [(one["asset"], one["grade"]) for one in worst["assets"]] == [("p2", "no readings")]
    assert {one["asset"] for one in worst["sensors"]} == {"p2"}


def test_a_report_begins_with_the_losses_and_gives_exit_code_6(plant):
    (plant / "exports" / "p2.csv").write_text("ts,flow\nsoon,1\n2026-01-03T06:00:00Z,1\nsoon,1\n")
    result = run("import", code=6)
    notes = [line for line in result.stderr.splitlines() if line.startswith("exports:")]
    assert notes[0] == "exports: exports/p2.csv: 2 of its 3 rows were rejected"
    (plant / "exports" / "p2.csv").write_text("ts;flow\n2026-01-03T06:00:00Z;1\n")
    assert '(next: ; looks like the delimiter: set `delimiter: ";"`' in run("import", code=6).stderr


@pytest.mark.slow
def test_history_drop_has_a_dry_run_and_can_be_repeated(plant):
    run("import")
    assert "would remove 2 readings of 1 item of exports" in run("history", "drop", "exports", "--dry-run").stdout
    assert json.loads(run("history", "show", "-o", "json").stdout)["assets"][0]["readings"] == 2
    report = json.loads(run("history", "drop", "exports", "exports/p1.csv", "-o", "json").stdout)
    assert (report["done"], report["items"], report["readings"]) == (True, ["exports/p1.csv"], 2)
    assert "the history has no readings from exports" in run("history", "drop", "exports", "--yes").stderr
    assert json.loads(run("history", "show", "-o", "json").stdout)["assets"][0]["readings"] == 0


def test_a_drop_asks_only_at_a_terminal(plant, monkeypatch):
    run("import")
    monkeypatch.setattr("eugenie_cli.console.Console.asks", True)
    result = CliRunner().invoke(app, ["history", "drop", "exports"], input="n\n")
    assert (result.exit_code, "nothing was removed" in result.stderr) == (1, True)
    assert CliRunner().invoke(app, ["history", "drop", "exports"], input="y\n").exit_code == 0
    assert "the history has no readings from exports" in run("history", "drop", "exports").stderr


def test_leftover_items_are_shown_with_the_next_step(plant):
    run("import")
    (plant / "exports" / "p1.csv").rename(plant / "p1.csv")
    (plant / "exports" / "p2.csv").write_text("ts,flow\n2026-01-03T06:00:00Z,1\n")
    for words in (("import",), ("history", "show")):
        notes = run(*words).stderr
        assert "exports: history still holds 2 readings of 1 item: its file is gone" in notes
        assert "next: `eugenie history drop exports exports/p1.csv`" in notes
    (left,) = json.loads(run("history", "show", "-o", "json").stdout)["left"]
    assert (left["source"], left["item"], left["readings"]) == ("exports", "exports/p1.csv", 2)


CONTROLS = "\x1b[2J\x07\x9b31m\u202e\u2066\x00\r"


def test_no_control_character_of_a_file_reaches_the_terminal(plant):
    """In names of files and columns, cells, ragged rows, and rows with an open quote; in the table and in JSON."""
    folder = plant / "exports"
    for name in folder.iterdir():
        name.unlink()
    evil = "\x1b]0;x\x07\u202e\n"
    site = SITE.replace('{file: "{stem}"}', "{const: p1}")
    (plant / "site-configs" / "plant.yaml").write_text(site)
    cell = CONTROLS.replace("\r", "")
    fields = (cell, f'"{cell}', f"1,2,3,{cell}", f'"{CONTROLS}\n"')
    rows = [f"2026-01-03T06:00:0{n}Z,{text}" for n, text in enumerate(fields)]
    (folder / f"a{evil}.csv").write_text("\n".join([f"ts,flow,{cell}", *(f"{row},x" for row in rows)]) + "\n")
    (folder / f"b{evil}.csv").write_text(f"when{cell},flow\n1,2\n")
    (folder / f"c{evil}.csv").write_bytes(b"")
    (folder / f"d{evil}.csv").symlink_to(f"nowhere{evil}")
    for words, code in ((("import",), 6), (("import", "-o", "json"), 6), (("history", "show"), 0)):
        result = run(*words, code=code)
        for text in (result.stdout, result.stderr):
            assert not {sign for sign in CONTROLS + evil if not sign.isprintable() and sign != "\n" and sign in text}
            assert not any(line.startswith(".csv") for line in text.splitlines()), "a name's line break"
        assert "\\x1b" in result.stderr + result.stdout or words[0] == "history"


@pytest.mark.slow
def test_compact_vacuum_and_verify(plant):
    (plant / "exports" / "p2.csv").write_text("ts,flow\n2026-01-03T06:00:00Z,1\n")
    run("import")
    before = json.loads(run("history", "show", "-o", "json").stdout)
    (report,) = json.loads(run("history", "compact", "exports", "-o", "json").stdout)
    assert (report["before"], report["after"], report["readings"]) == (2, 1, 3)
    assert "2 files" in run("history", "verify").stderr  # the replaced ones
    assert "removed 2 files" in run("history", "vacuum").stdout
    assert json.loads(run("history", "vacuum", "-o", "json").stdout)["files"] == 0
    assert json.loads(run("history", "show", "-o", "json").stdout) == before
    assert "1 file with 3 readings: as the manifest says" in run("history", "verify").stdout
    assert run("import").stdout.split("exports")[-1].split()[:3] == ["0", "0", "2"]
    (path,) = plant.rglob("*.parquet")
    path.write_bytes(b"PAR1")
    result = run("history", "verify", code=6)
    assert "its content has changed" in " ".join(result.stdout.split())
    assert "1 of 1 file" in result.stdout
    (damage,) = json.loads(run("history", "verify", "-o", "json", code=6).stdout)["damaged"]
    assert damage["items"] == ["exports/p1.csv", "exports/p2.csv"]
    assert run("import", "--again").exit_code == 0  # what the report says
    run("history", "verify")


def test_an_import_prunes_only_with_the_option_and_says_what(plant):
    (plant / "exports" / "p2.csv").write_text("ts,flow\n2026-01-03T06:00:00Z,1\n")
    run("import")
    (plant / "exports" / "p1.csv").unlink()
    assert "its file is gone" in run("import").stderr
    result = run("import", "--prune", "-o", "json")
    assert "exports: dropping 2 readings of 1 item: its file is gone" in result.stderr
    assert "  exports/p1.csv: 2 readings" in result.stderr
    (report,) = json.loads(result.stdout)
    assert (report["pruned"], report["left"]) == (["exports/p1.csv"], [])
    assert "dropping" not in run("import", "--prune").stderr
    (plant / "exports" / "p2.csv").rename(plant / "p2.csv")  # as if the share were not mounted
    with pytest.raises(EugenieError, match="no file matches"):
        run("import", "--prune")
    assert [one["readings"] for one in json.loads(run("history", "show", "-o", "json").stdout)["assets"]] == [0, 1]
