"""`eugenie config` and `eugenie init` as seen by a shell: stdout, stderr, exit code."""

from __future__ import annotations

import json

import pytest

from eugenie_cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """`run("config", "check")` -> (exit code, stdout, stderr), in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUGENIE_SITE", raising=False)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["eugenie", *arguments])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return command


def test_a_valid_file_is_summarized(run, write):
    write()
    code, out, _ = run("config", "check", "-o", "json")
    assert code == 0
    assert json.loads(out) == {
        "file": "site-configs/plant.yaml",
        "valid": True,
        "site": "plant",
        "classes": 1,
        "assets": 1,
        "sources": 0,
        "problems": [],
    }
    code, out, err = run("config", "check")
    assert code == 0 and "plant" in out and "is valid" in err


@pytest.mark.slow
def test_problems_go_to_stderr_and_exit_with_3(run, write):
    write("kafka: {topc: x}\nserving: {runtime: dockr}")
    code, out, err = run("config", "check")
    assert (code, out) == (3, "")
    assert "site-configs/plant.yaml:7:9: kafka.topc: unknown key (did you mean topics?)" in err
    assert "site-configs/plant.yaml:8:20: serving.runtime: must be" in err


def test_problems_are_in_the_json_output(run, write):
    write("kafka: {topc: x}")
    code, out, err = run("config", "check", "-o", "json")
    assert code == 3 and "kafka.topc" in err
    (problem,) = json.loads(out)["problems"]
    assert (problem["line"], problem["column"], problem["path"]) == (7, 9, "kafka.topc")


def test_show_gives_every_value_and_its_origin(run, write):
    write("stream: {checkpoint: 5s}")
    code, out, _ = run("config", "show", "--origin", "-o", "json")
    assert code == 0
    shown = json.loads(out)
    assert shown["stream.checkpoint"] == {"value": "5s", "origin": "plant.yaml:7:22"}
    assert shown["stream.parallelism"] == {"value": 1, "origin": "default"}
    assert json.loads(run("config", "show", "-o", "json")[1])["stream"]["checkpoint"] == "5s"
    assert "plant.yaml:7:22" in run("config", "show", "--origin")[1]


@pytest.mark.slow
def test_the_schema_is_json(run):
    code, out, _ = run("config", "schema")
    assert code == 0 and json.loads(out)["title"] == "eugenie site file"


def test_init_then_check(run):
    code, out, err = run("init", "plant-a")
    assert (code, out.splitlines()[0]) == (0, "plant-a/site-configs/plant-a.yaml") and "config check" in err
    assert run("config", "check", "--site", "plant-a/site-configs/plant-a.yaml")[0] == 0
    assert run("init", "plant-a")[0] == 5


def test_without_a_site_the_error_names_init(run):
    code, _, err = run("config", "check")
    assert code == 2 and "eugenie init" in err
