"""Loading a site file gives a Site, or a list of all its problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.diagnostics import SiteError
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.load import find_site, load_site, open_site, workspace_of
from eugenie_cli.site.secrets import reveal

PROJECT = Path(__file__).parents[3]
GOLDEN = PROJECT / "tests" / "golden" / "site"


def test_all_problems_of_a_file_are_reported_at_once_with_their_positions(monkeypatch):
    monkeypatch.chdir(GOLDEN)
    monkeypatch.delenv("EUGENIE_TEST_UNSET", raising=False)
    with pytest.raises(SiteError) as caught:
        load_site("broken.yaml")
    assert caught.value.reason + "\n" == Path("broken.txt").read_text(encoding="utf-8")
    assert caught.value.exit_code == ExitCode.INVALID_SITE == 3


@pytest.mark.parametrize("file", sorted((PROJECT / "site-configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_site_that_is_shipped_with_eugenie_is_valid(file):
    assert load_site(file).site == file.stem


def test_the_template_of_new_sites_is_valid():
    assert load_site(PROJECT / "templates" / "new-site" / "site.yaml").site == "my-plant"


def test_the_testbeds_normal_periods_are_its_first_400_rows():
    site = load_site(PROJECT / "site-configs" / "skab.yaml")
    folder = site.resolve(site.sources[0].path).parent
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}; name them in EUGENIE_DATA")
    assert len(site.assets) == 16
    for name, asset in site.assets.items():
        lines = (folder / f"{name.removeprefix('valve1-')}.csv").read_text().splitlines()
        rows = [line.split(";")[0].replace(" ", "T") + "+00:00" for line in lines[1:402]]
        (normal,) = asset.normal
        assert [normal.start.isoformat(), normal.end.isoformat()] == [rows[0], rows[400]]


def test_values_have_the_models_types(write):
    site = load_site(write("kafka: broker:9092\nstream: {checkpoint: 1.5m, parallelism: 2}"))
    assert site.kafka.bootstrap == "broker:9092"
    assert (site.stream.checkpoint, site.stream.parallelism) == (90_000, 2)


def test_instants_without_an_offset_are_the_sites_local_time(write):
    site = load_site(
        write("timezone: Europe/Berlin\nexclude: [{start: 2026-01-01T00:00:00, end: 2026-01-02T00:00:00Z}]")
    )
    start, end = to_ms(site.exclude[0].start), to_ms(site.exclude[0].end)
    assert end - start == 25 * 3_600_000


def test_variables_work_in_any_text_and_in_numbers(write, monkeypatch):
    monkeypatch.setenv("EUGENIE_TEST_PORT", "9101")
    site = load_site(write("engines: {kafka_port: '${env:EUGENIE_TEST_PORT}', jars: '${env:EUGENIE_TEST_JARS:-jars}'}"))
    assert (site.engines.kafka_port, site.engines.jars) == (9101, "jars")


def test_passwords_are_resolved_late_and_never_shown(write, monkeypatch):
    security = "{protocol: SASL_SSL, mechanism: PLAIN, username: me, password: '${env:EUGENIE_TEST_PASSWORD}'}"
    monkeypatch.delenv("EUGENIE_TEST_PASSWORD", raising=False)
    registry = "{url: 'http://r', username: me, password: '${env:EUGENIE_TEST_PASSWORD}'}"
    readings = f"{{tag: {{path: t}}, format: avro, registry: {registry}}}"
    site = load_site(write(f"kafka: {{bootstrap: 'b:9092', security: {security}, readings: {readings}}}"))
    monkeypatch.setenv("EUGENIE_TEST_PASSWORD", "hunter2")
    assert reveal(site.kafka.security.password) == "hunter2"
    assert reveal(site.kafka.readings.registry.password) == "hunter2"
    assert "hunter2" not in repr(site) + str(site.model_dump()) + site.model_dump_json()


def test_a_password_of_the_wrong_kind_is_not_repeated_in_the_error(problems):
    (problem,) = problems("kafka: {security: {password: [hunter2]}}")
    assert "hunter2" not in problem


def test_relative_paths_start_next_to_site_configs_or_in_the_files_own_folder(write, tmp_path):
    path = write()
    assert load_site(path).resolve("exports") == tmp_path / "exports"
    assert workspace_of(load_site(path)).root == tmp_path / ".eugenie" / "plant"
    alone = tmp_path / "alone.yaml"
    alone.write_text(path.read_text())
    assert load_site(alone).resolve("exports") == tmp_path / "exports"
    assert workspace_of(load_site(write("workspace: /data/ws"))).root == Path("/data/ws")


def test_a_file_that_is_not_a_section_or_not_text_is_reported(problems, write, tmp_path):
    assert problems("- a", whole=True) == ["1:1: a site file is a section of keys: site, classes, assets ..."]
    assert problems("", whole=True) == ["1:1: a site file is a section of keys: site, classes, assets ..."]
    path = write()
    path.write_bytes(b"site: a\nx: \xff\n")
    with pytest.raises(SiteError, match=r"plant\.yaml:2:1: the file is not UTF-8 text"):
        load_site(path)
    with pytest.raises(EugenieError, match="cannot be read"):
        load_site(tmp_path / "missing.yaml")


class TestFindSite:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        self.folder = tmp_path / "site-configs"

    def add(self, *names: str) -> None:
        self.folder.mkdir(exist_ok=True)
        for name in names:
            (self.folder / name).write_text("site: x")

    def error(self, name: str | None) -> EugenieError:
        with pytest.raises(EugenieError) as caught:
            find_site(name)
        assert caught.value.exit_code == ExitCode.USAGE
        return caught.value

    def test_the_only_file_is_the_default(self):
        self.add("a.yaml", "README.md")
        assert find_site(None) == Path("site-configs/a.yaml")

    def test_a_name_selects_the_file_with_that_name(self):
        self.add("a.yaml", "b.yml")
        assert find_site("b") == Path("site-configs/b.yml")

    def test_a_path_selects_that_file(self, tmp_path):
        (tmp_path / "elsewhere.yaml").write_text("site: x")
        assert find_site("elsewhere.yaml") == Path("elsewhere.yaml")
        assert find_site(str(tmp_path / "elsewhere.yaml")).is_file()

    def test_several_files_are_listed(self):
        self.add("a.yaml", "b.yaml")
        assert "a, b" in str(self.error(None).hint)

    def test_no_file_at_all_leads_to_init(self):
        assert "eugenie init" in str(self.error(None).hint)

    def test_an_unknown_name_gets_a_suggestion(self):
        self.add("plant.yaml", "other.yaml")
        assert "did you mean plant?" in self.error("plnt").reason

    def test_a_path_that_does_not_exist_is_reported(self):
        assert "site file nowhere/x.yaml does not exist" in self.error("nowhere/x.yaml").reason

    def test_open_site_finds_and_loads(self):
        self.add()
        (self.folder / "a.yaml").write_text("site: a\nclasses: {c: {sensors: [{name: s}]}}\nassets: {x: {class: c}}")
        assert open_site(None).site == "a"
