"""`eugenie serve render`: its files and its output, as a table and as JSON."""

from __future__ import annotations

import json
import sys

import pytest

from eugenie_cli import main
from eugenie_cli.deploy.render import TARGETS
from eugenie_cli.serving.server_config import ReleasedModel, model_config_text

SITE = """\
site: plant
classes:
  pump: {sensors: [{name: pressure}]}
assets:
  p-1: {class: pump}
serving: {models: "s3://plant-models/eugenie"}
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`run(*arguments)`: (exit code, stdout, stderr) of the command, in a plant's folder with an exported version."""
    (tmp_path / "site-configs").mkdir()
    (tmp_path / "site-configs" / "plant.yaml").write_text(SITE)
    models = tmp_path / ".eugenie" / "plant" / "models"
    (models / "pump" / "1").mkdir(parents=True)
    pump = ReleasedModel("pump", f"{models}/pump", (1,), {"champion": 1})
    (models / "models.config").write_text(model_config_text([pump]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUGENIE_SITE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eugenie", "serve", "render", *arguments])
        code = 0
        try:
            main.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_json_names_files_that_exist_and_the_table_names_the_same(run, tmp_path, target):
    code, out, err = run("--target", target, "-o", "json")
    assert code == 0, err
    done = json.loads(out)
    assert (done["target"], done["folder"]) == (target, f"serve-{target}")
    assert done["files"] and done["steps"]
    for file in done["files"]:
        assert file["state"] == "written" and (tmp_path / file["path"]).is_file()

    code, out, err = run("--target", target)
    assert code == 0
    for file in done["files"]:
        assert file["path"] in out
    assert "unchanged" in out and "written" not in out
    assert [line for line in err.splitlines() if line.startswith("next: ")] == [
        f"next: {step}" for step in done["steps"]
    ]


def test_the_site_may_be_named_before_or_after_the_command(run, tmp_path, monkeypatch):
    (tmp_path / "site-configs" / "other.yaml").write_text(SITE.replace("site: plant", "site: other"))
    assert run("--target", "kubernetes")[0] == 2
    assert run("--target", "kubernetes", "--site", "other", "--output-dir", "out")[0] == 0
    assert "eugenie-other--serving" in (tmp_path / "out" / "serving.yaml").read_text()


def test_the_error_for_an_unknown_target_lists_the_known_ones(run):
    code, _, err = run("--target", "nomad")
    assert code == 2
    assert "kubernetes, kserve, seldon, compose, kubeflow" in err


@pytest.mark.slow
def test_an_edited_file_is_kept_without_force(run, tmp_path):
    run("--target", "kubernetes")
    file = tmp_path / "serve-kubernetes" / "serving.yaml"
    file.write_text("mine\n")
    code, out, err = run("--target", "kubernetes")
    assert (code, out) == (5, "") and "serving.yaml: not written by this command, or changed since" in err
    assert file.read_text() == "mine\n"
    assert run("--target", "kubernetes", "--force")[0] == 0
    assert file.read_text() != "mine\n"


def test_a_refusal_leaves_no_folder_behind(run, tmp_path):
    code, _, err = run("--target", "kserve", "--canary", "pump=10")
    assert code == 5 and "version 1, is the newest version" in err
    assert not (tmp_path / "serve-kserve").exists()
