"""The effective settings of a site: values, origins, schema, new sites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.effective import in_force, settings
from eugenie_cli.site.json_schema import site_schema
from eugenie_cli.site.load import load_site, read_site
from eugenie_cli.site.scaffold import create_site
from eugenie_cli.site.schema import EquipmentClass

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[3]
TEMPLATE = PROJECT / "templates" / "new-site" / "site.yaml"


def origins(path) -> dict[str, tuple[object, str]]:
    return {setting.path: (setting.value, setting.origin) for setting in settings(*read_site(path))}


def test_the_origin_of_each_value_is_its_position_or_default(write, monkeypatch):
    monkeypatch.setenv("EUGENIE_TEST_JARS", "/jars")
    shown = origins(write("kafka: broker:9092\nengines:\n  jars: ${env:EUGENIE_TEST_JARS}\n"))
    assert shown["site"] == ("plant", "plant.yaml:1:7")
    assert shown["classes.pump.sensors[1].name"] == ("current", "plant.yaml:4:51")
    assert shown["kafka.bootstrap"] == ("broker:9092", "plant.yaml:7:8")
    assert shown["engines.jars"] == ("/jars", "plant.yaml:9:9 ${env:EUGENIE_TEST_JARS}")
    assert shown["classes.pump.step"] == ("1s", "default")
    assert shown["kafka.partitions"] == (1, "default")


def test_derived_defaults_are_shown_with_their_effective_values(write):
    shown = in_force(load_site(write()))
    assert shown["kafka"]["topics"]["dead_letters"] == "plant.dead-letters"
    assert shown["workspace"] == ".eugenie/plant"
    assert shown["classes"]["pump"]["alarm"]["silence"] == "15s"
    assert shown["assets"]["pump-1"]["class"] == "pump"


def test_a_detectors_settings_are_those_of_its_type(write):
    shown = in_force(load_site(write()))["classes"]["pump"]["model"]
    assert (shown["type"], shown["units"]) == ("auto", 32)
    equipment = {"sensors": [{"name": "flow"}], "model": {"type": "mewma", "smoothing": 0.2}}
    other = EquipmentClass.model_validate(equipment).model.model_dump()
    assert other == {"type": "mewma", "window": 60, "calibration": 0.25, "smoothing": 0.2}


def test_no_secret_is_shown(write, monkeypatch):
    monkeypatch.setenv("EUGENIE_TEST_URI", "http://me:hunter2@mlflow:5000")
    path = write(
        "kafka: {bootstrap: 'b:1', security: "
        "{protocol: SASL_SSL, mechanism: PLAIN, username: me, password: hunter2}, "
        "readings: {tag: {path: t}, format: avro, registry: {url: 'http://r', username: me, password: hunter2}}}\n"
        "tracking: {uri: '${env:EUGENIE_TEST_URI}'}"
    )
    text = str(origins(path)) + json.dumps(in_force(load_site(path)))
    assert "hunter2" not in text and "me:********@mlflow" in text


@pytest.mark.slow
def test_the_schema_describes_exactly_what_a_file_may_contain():
    schema = site_schema()
    assert set(schema["properties"]) >= {"site", "classes", "assets", "kafka"}
    assert not {"base", "file"} & set(schema["properties"])
    assert schema["$defs"]["Asset"]["required"] == ["class"]
    assert schema["$defs"]["Asset"]["additionalProperties"] is False
    assert schema["$defs"]["Stream"]["properties"]["out_of_orderness"]["default"] == "2s"


def schema_errors(text: str) -> list[str]:
    """The errors that an editor finds. It reads YAML 1.2: dates and `no` are text."""
    jsonschema = pytest.importorskip("jsonschema")

    class Editor(yaml.SafeLoader):
        yaml_implicit_resolvers: ClassVar = {
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    document = yaml.load(text, Loader=Editor)  # noqa: S506 - a SafeLoader
    return [error.message for error in jsonschema.Draft202012Validator(site_schema()).iter_errors(document)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "file", [*sorted((PROJECT / "site-configs").glob("*.yaml")), TEMPLATE], ids=lambda path: path.stem
)
def test_the_schema_accepts_valid_files(file):
    assert schema_errors(file.read_text(encoding="utf-8")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", ["kafak: embedded", "stream: {checkpoint: 5}", "serving: {port: x}", "engines: {slots: 0}"]
)
def test_the_schema_refuses_invalid_files(more):
    good = TEMPLATE.read_text(encoding="utf-8").partition("# -- engines")[0]
    assert schema_errors(good) == []
    assert len(schema_errors(good + more)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "valid"),
    [
        ("{window: 60, units: 8}", True),
        ("{type: mewma, smoothing: 0.2}", True),
        ("{type: isolation-forest, trees: 50}", True),
        ("{type: mewma, units: 8}", False),
        ("{type: mewna}", False),
        ("{smoothing: 0.2}", False),
    ],
)
def test_the_schema_knows_which_settings_a_type_has(model, valid):
    text = f"site: p\nclasses: {{c: {{sensors: [{{name: s}}], model: {model}}}}}\nassets: {{a: {{class: c}}}}"
    assert (schema_errors(text) == []) is valid


def test_a_new_site_is_valid_and_is_named_after_its_folder(tmp_path):
    folder = tmp_path / "Water Works"
    site_file, gitignore = create_site(folder)
    assert site_file == folder / "site-configs" / "water-works.yaml"
    assert load_site(site_file).site == "water-works"
    assert ".eugenie/" in gitignore.read_text()
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        ".gitignore",
        "water-works.yaml",
    ]


def test_existing_files_are_not_overwritten(tmp_path):
    (tmp_path / ".gitignore").write_text("mine")
    assert [path.name for path in create_site(tmp_path, "a")] == ["a.yaml"]
    assert (tmp_path / ".gitignore").read_text() == "mine"
    (tmp_path / "site-configs" / "a.yaml").write_text("mine")
    with pytest.raises(EugenieError, match="already exists") as caught:
        create_site(tmp_path, "a")
    assert caught.value.exit_code == ExitCode.REFUSED
    assert (tmp_path / "site-configs" / "a.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["a b", "-a", "a/b", "ü"])
def test_an_invalid_site_name_is_refused(tmp_path, name):
    with pytest.raises(EugenieError, match="is not a valid site name"):
        create_site(tmp_path, name)
    assert list(tmp_path.iterdir()) == []
