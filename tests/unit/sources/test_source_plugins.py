"""Source types from other packages: one that is really installed, and packages that are broken in every way."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support.history_sites import pump_site
from support.odd_package import GOOD, NEXT

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site import source_plugins
from eugenie_cli.site.diagnostics import SiteError
from eugenie_cli.site.json_schema import site_schema
from eugenie_cli.site.load import load_site
from eugenie_cli.sources.csv.importer import CsvImporter
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.interface import importer_for
from eugenie_cli.sources.leftovers import leftovers

pytestmark = pytest.mark.slow

PLUGIN = Path(__file__).parents[2] / "plugins" / "eugenie-sqlite"
BIN = Path(sys.executable).parent
SITE = """\
site: plant
sources:
  - name: historian
    type: sqlite
    path: data/plant.db
    table: log
    readings: {asset: {path: machine}, sensor: {path: sensor}}
classes:
  pump: {sensors: [{name: pressure, unit: bar}]}
assets:
  pump-1: {class: pump}
"""
REST = SITE[SITE.index("classes:") :]
CSV_SITE = f"site: plant\nsources: [{{name: a, type: csv, path: x, readings: {{tag: {{path: t}}}}}}]\n{REST}"


# -- an installed package -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the plug-in, installed by uv without a network or an index."""
    target = tmp_path_factory.mktemp("plugin")
    install = [BIN / "uv", "pip", "install", "--offline", "--no-index", "--no-deps", "--no-cache", "--quiet"]
    subprocess.run([*install, "--python", sys.executable, "--target", target, PLUGIN], check=True)
    return target


@pytest.fixture
def eugenie(installed, tmp_path):
    """`eugenie("config", "check")` -> (exit code, stdout, stderr), run as a process in a site's folder."""
    (tmp_path / "site-configs").mkdir()
    (tmp_path / "site-configs" / "plant.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data" / "plant.db") as database:
        database.execute("create table log (machine, sensor, ts, value)")
        rows = [("pump-1", "pressure", f"2026-01-01T00:00:{second:02}Z", second) for second in range(10)]
        database.executemany("insert into log values (?, ?, ?, ?)", [*rows, ("pump-9", "pressure", rows[0][2], 1)])
    database.close()
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "200"}
    environment.pop("EUGENIE_SITE", None)

    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run([BIN / "eugenie", *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.slow
def test_a_site_with_its_type_is_checked_shown_and_imported(eugenie):
    assert eugenie("config", "check")[0] == 0
    shown = json.loads(eugenie("config", "show", "-o", "json")[1])
    assert (shown["sources"][0]["table"], shown["sources"][0]["batch"]) == ("log", 50_000)
    assert "plant.yaml:6:12" in eugenie("config", "show", "--origin")[1]

    code, out, err = eugenie("import", "-o", "json")
    (report,) = json.loads(out)
    assert (code, report["new"], report["readings"]) == (0, 1, 10)
    assert report["rejected"] == {"unknown-tag": 1} and "plant.db:11: pump-9, pressure" in err
    assert json.loads(eugenie("import", "-o", "json")[1])[0]["unchanged"] == 1

    (asset,) = json.loads(eugenie("history", "show", "-o", "json")[1])["assets"]
    assert (asset["asset"], asset["readings"], asset["sources"]) == ("pump-1", 10, ["historian"])


@pytest.mark.slow
def test_its_keys_are_in_the_schema_for_editors(eugenie):
    code, out, err = eugenie("config", "schema")
    schema = json.loads(out)
    variants = schema["properties"]["sources"]["items"]
    assert (code, err) == (0, "")
    types = variants["discriminator"]["mapping"].keys()
    assert {"csv", "json", "sqlite"} <= types and len(variants["oneOf"]) == len(types)
    assert "table" in schema["$defs"]["SqliteSettings"]["properties"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("table:", "tabel:", "plant.yaml:6:5: sources[0].tabel: unknown key (did you mean table?)"),
        ("sensor: {path", "sensr: {path", "plant.yaml:7:40: sources[0].readings.sensr: unknown key (did you mean"),
        ("sqlite", "sqlit", "or 'sqlite' (did you mean sqlite?)"),
        ("table: log", "batch: 0", "plant.yaml:6:12: sources[0].batch: must be 1 or more"),
        ("table: log", "encoding: x", "sources[0].encoding: sqlite has no such setting; it takes name, type, path"),
        ("asset: {path", "asset: {file", "readings.asset.file: messages have no file name: use path or const"),
        ("    path: data/plant.db\n", "", "plant.yaml:3:5: sources[0].path: is required"),
        ("asset: {path: machine}", "asset: {const: pump-2}", "there is no asset pump-2 (did you mean pump-1?)"),
    ],
)  # fmt: skip
def test_its_problems_have_line_column_and_suggestion(eugenie, tmp_path, right, wrong, problem):
    file = tmp_path / "site-configs" / "plant.yaml"
    file.write_text(SITE.replace(right, wrong, 1), encoding="utf-8")
    code, _, err = eugenie("config", "check")
    assert code == 3 and problem in err


def test_the_page_on_source_types_shows_this_package():
    page = (PLUGIN.parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    for file in ("settings.py", "importer.py"):
        assert (PLUGIN / "eugenie_sqlite" / file).read_text(encoding="utf-8").strip() in page, file
    group = page.split("```toml\n")[1].split("```")[0]
    assert group in (PLUGIN / "pyproject.toml").read_text(encoding="utf-8")
    assert page.split("```text\n")[1].split("```")[0] in SITE


def test_without_the_package_its_type_is_unknown(tmp_path):
    with pytest.raises(SiteError, match=r"sources\[0\].type: must be 'csv'"):
        load_site(site_file(tmp_path, SITE))


@pytest.mark.slow
def test_opening_a_site_imports_no_library_of_its_importers(tmp_path):
    file = site_file(tmp_path, CSV_SITE)
    code = f"import sys; from eugenie_cli.site.load import load_site; load_site({str(file)!r}); "
    code += "print('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"


# -- broken packages ----------------------------------------------------------------------------------------


def types_in_schema() -> set[str]:
    """The types of sources that the JSON schema of site files knows."""
    return set(site_schema()["properties"]["sources"]["items"]["discriminator"]["mapping"])


def site_file(folder: Path, text: str) -> Path:
    file = folder / "plant.yaml"
    file.write_text(text, encoding="utf-8")
    return file


ODD_SITE = SITE.replace("sqlite", "odd")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import no_such_library", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_library'"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("raise SystemExit(0)", "cannot be loaded: SystemExit: 0"),
        ("SOURC = 1", "cannot be loaded: AttributeError"),
        ("SOURCE = 1", "cannot be used: odd_sources:SOURCE is not a SourceType"),
        (f"{GOOD}SOURCE = SourceType('even', Settings, 'a:b')", "is named even, but its entry point odd"),
        (f"{GOOD}SOURCE = SourceType('odd', dict, 'a:b')", "has settings that are not a subclass of SourceSettings"),
        (
            f"{GOOD.replace('odd', 'even')}SOURCE = SourceType('odd', Settings, 'a:b')",
            "has settings whose `type` is not Literal['odd']",
        ),
    ],
)
def test_a_broken_package_is_named_with_the_next_step_and_affects_no_other_site(package, tmp_path, text, what):
    package(text)
    with pytest.raises(SiteError) as raised:
        load_site(site_file(tmp_path, ODD_SITE))
    assert "plant.yaml:4:11: sources[0].type: source type odd of odd-sources 1.2 " in raised.value.reason
    assert what in raised.value.reason and NEXT in raised.value.reason
    assert load_site(site_file(tmp_path, CSV_SITE)).sources[0].type == "csv"
    assert "csv" in types_in_schema() and "odd" not in types_in_schema()


@pytest.mark.slow
def test_config_schema_reports_what_it_omits(package, monkeypatch, capsys):
    from eugenie_cli.main import main

    package("1 / 0")
    monkeypatch.setattr("sys.argv", ["eugenie", "config", "schema"])
    with pytest.raises(SystemExit, match="0"):
        main()
    streams = capsys.readouterr()
    assert json.loads(streams.out)["title"] == "eugenie site file"
    assert "left out: source type odd of odd-sources 1.2 cannot be loaded" in streams.err and NEXT in streams.err


@pytest.mark.slow
def test_settings_that_no_schema_can_describe_are_omitted_from_it(package, tmp_path):
    made = "    of: Callable = len\nSOURCE = SourceType('odd', Settings, 'a:b')"
    package(f"from collections.abc import Callable\n{GOOD}{made}")
    (error,) = source_plugins.usable_source_types()[1]
    assert "odd-sources 1.2" in error.reason
    assert "csv" in types_in_schema() and "odd" not in types_in_schema()


@pytest.mark.parametrize("source", ["odd", "csv"])
def test_a_type_that_two_packages_provide_names_both(package, tmp_path, source):
    good = f"{GOOD}SOURCE = SourceType('odd', Settings, 'a:b')"
    package(good, "odd-sources", source)
    package(good, "other-sources", source)
    with pytest.raises(
        SiteError, match=r"type: source type \w+ is provided by .*odd-sources 1.2 and other-sources 1.2; uninst"
    ):
        load_site(site_file(tmp_path, SITE.replace("sqlite", source)))


@pytest.mark.parametrize(("statement", "error"), [("1 / 0", "ZeroDivisionError"), ("raise SystemExit", "SystemExit")])
def test_a_settings_class_that_raises_is_an_error_of_its_package(package, tmp_path, statement, error):
    validator = f"    def model_post_init(self, context):\n        {statement}\n"
    package(f"{GOOD}{validator}SOURCE = SourceType('odd', Settings, 'a:b')")
    lean = ODD_SITE.partition("    path:")[0] + REST
    with pytest.raises(SiteError, match=f"4:11: .*odd-sources 1.2 fails on this source: {error}"):
        load_site(site_file(tmp_path, lean))


@pytest.mark.parametrize(
    ("importer", "what"),
    [
        ("no_such_module:Importer", "has an importer that cannot be loaded: ModuleNotFoundError"),
        ("odd_sources:Importer", "has an importer that cannot be loaded: AttributeError"),
        ("odd_ending:Importer", "has an importer that cannot be loaded: SystemExit: 0"),
        ("odd_sources:NUMBER", "has an importer that cannot be called"),
        ("odd_sources:make", "makes a dict, which lacks methods of an importer"),
    ],
)
def test_an_unusable_importer_is_reported_when_the_source_is_read(package, tmp_path, importer, what):
    made = f"SOURCE = SourceType('odd', Settings, '{importer}')"
    package(f"{GOOD}NUMBER = 1\ndef make(source, site):\n    return {{}}\n{made}")
    (tmp_path / "odd-sources" / "odd_ending.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    site = pump_site(tmp_path, [{"name": "s", "type": "odd"}])
    with pytest.raises(EugenieError, match=f"source type odd of odd-sources 1.2 {what}") as raised:
        importer_for(site.sources[0], site)
    assert raised.value.hint == NEXT


def test_an_unusable_importer_does_not_stop_other_sources(package, tmp_path):
    package(f"{GOOD}SOURCE = SourceType('odd', Settings, 'no_such_module:Importer')")
    csv = {"name": "a", "type": "csv", "path": "p1.csv", "readings": {"shape": "wide", "asset": {"file": "{stem}"}}}
    (tmp_path / "p1.csv").write_text("ts,flow\n2026-01-01T00:00:00Z,1\n")
    site = pump_site(tmp_path, [{"name": "s", "type": "odd"}, csv])
    broken, good = import_sources(site)
    assert "cannot be loaded" in broken.failed[0] and (good.new, good.readings, good.failed) == (1, 1, [])
    open_history(site).commit("s", [Batch.of([("p1", "flow", 0, 1.0)])], key="item")
    assert leftovers(site, open_history(site).sources()) == []


def test_secrets_of_its_settings_stay_secret(package, tmp_path):
    from eugenie_cli.site.effective import in_force_text

    keys = "    password: SecretStr\n    login: SecretStr\n"
    package(f"from pydantic import SecretStr\n{GOOD}{keys}SOURCE = SourceType('odd', Settings, 'a:b')")
    text = ODD_SITE.partition("    path:")[0] + "    password: hidden\n    login: ${env:EUGENIE_TEST_UNSET}\n"
    site = load_site(site_file(tmp_path, text + REST))
    assert "hidden" not in in_force_text(site) and "${env:EUGENIE_TEST_UNSET}" in in_force_text(site)


def test_csv_is_such_a_type(tmp_path):
    site = pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "*.csv"}])
    assert isinstance(importer_for(site.sources[0], site), CsvImporter)
    assert source_plugins.source_type("csv").settings is type(site.sources[0])
