"""`eugenie init --from` and `eugenie import --look` as seen by a shell: stdout, stderr, exit code, files."""

from __future__ import annotations

import json

import pytest
import yaml

from eugenie_cli.main import main
from eugenie_cli.site.load import load_site

pytestmark = pytest.mark.slow

WIDE = "time;FT-101.PV;PT-102.PV\n" + "".join(f"13.01.2026 05:{n:02d}:00;{n},5;{n}\n" for n in range(30))
LONG = "Tag,Timestamp,Value\n" + "".join(f"LT-103.PV,2026-01-13T05:{n:02d}:00Z,{n}\n" for n in range(30))


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """`run("init", ...)` -> (exit code, stdout, stderr), in a folder with exports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUGENIE_SITE", raising=False)
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "a.csv").write_text(WIDE)
    (tmp_path / "exports" / "b.csv").write_text(LONG)

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


@pytest.mark.slow
@pytest.mark.parametrize("given", [["exports/*.csv"], ["exports/a.csv", "exports/b.csv"]])
def test_a_site_file_from_exports_is_valid_and_imports_them(run, tmp_path, given):
    code, out, err = run("init", "--name", "plant", "--from", *given)
    assert (code, out.split()) == (0, ["site-configs/plant.yaml", ".gitignore"])
    assert "tried in memory: 30 rows, 60 readings" in err and "to check" in err
    text = (tmp_path / "site-configs" / "plant.yaml").read_text()
    assert "# check: the instants have no offset" in text and "# -- engines --" in text and "step: 1m" in text
    site = load_site(tmp_path / "site-configs" / "plant.yaml")
    assert [source.name for source in site.sources] == ["a", "b"]
    assert not (tmp_path / ".eugenie").exists()
    code, out, _ = run("import", "-o", "json")
    assert code == 0 and [report["readings"] for report in json.loads(out)] == [60, 30]


def test_a_site_file_that_exists_is_kept(run, tmp_path):
    run("init", "--name", "plant")
    before = (tmp_path / "site-configs" / "plant.yaml").read_bytes()
    code, out, err = run("init", "--name", "plant", "--from", "exports/*.csv")
    assert (code, out) == (5, "") and "already exists" in err
    assert (tmp_path / "site-configs" / "plant.yaml").read_bytes() == before


def test_only_one_folder_can_be_given(run):
    code, _, err = run("init", "one", "two", "--from", "exports/a.csv")
    assert code == 2 and "one folder" in err
    code, _, err = run("init", "exports/a.csv", "two")
    assert code == 2


def test_an_entry_is_printed_ready_to_paste(run, tmp_path):
    code, out, err = run("import", "--look", "exports/a.csv")
    assert code == 0 and not (tmp_path / "site-configs").exists() and not (tmp_path / ".eugenie").exists()
    (entry,) = yaml.safe_load(out)["sources"]
    assert entry == {
        "name": "a",
        "type": "csv",
        "path": "exports/a.csv",
        "delimiter": ";",
        "readings": {
            "shape": "wide",
            "ts": {"path": "time", "format": "%d.%m.%Y %H:%M:%S", "ambiguous": "order"},
            "value": {"decimal": ","},
        },
    }
    assert "semicolon" in err and "machine: set `step: 1m, max_gap: 5m`" in err
    assert "machine-1, FT-101, 2026-01-13T05:00:00Z, 0.5" in err


def test_an_entry_for_a_site_that_exists_has_a_name_of_its_own(run, tmp_path):
    run("init", "--name", "plant", "--from", "exports/a.csv")
    code, out, _ = run("import", "--look", "exports/a.csv", "-o", "json")
    found = json.loads(out)
    (source,) = found["sources"]
    assert code == 0 and source["name"] == "a-2" and source["result"]["readings"] == 60
    assert source["result"]["first"][0]["ts"] == "2026-01-13T05:00:00Z"
    assert found["classes"]["machine"]["step"] == "1m"


def test_the_exit_code_says_whether_every_file_is_read(run, tmp_path):
    (tmp_path / "exports" / "c.csv").write_bytes(b"%PDF-1.7")
    code, out, err = run("import", "--look", "exports/a.csv", "exports/c.csv")
    assert code == 6 and "a PDF" in err and yaml.safe_load(out)["sources"]
    code, out, err = run("import", "--look", "exports/c.csv")
    assert (code, out) == (1, "") and "a PDF" in err and "no source reads" in err
    code, _, err = run("import", "--look")
    assert code == 2 and "--look needs files" in err
    code, out, err = run("init", "--from", "exports/c.csv")
    assert code == 1 and not (tmp_path / "site-configs").exists()
