"""What a models.config releases; nothing else is served, whatever the state of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.model_server.aspired_versions import Released, Specific, Unreleased, Written
from eugenie_cli.tfserving.layout import MODELS_CONFIG

PUMP = (
    'model_config_list { config { name: "pump" base_path: "%s/pump" model_platform: "tensorflow" '
    "model_version_policy { specific { versions: 1 } } } }"
)

BROKEN = {
    "missing": None,
    "empty": "",
    "blanks": " \n\n",
    "half written": 'model_config_list { config { name: "booster-pump"  base_path: ',
    "not text": b"\xff\xfe\x00model_config_list",
    "another format": '{"models": [{"name": "pump", "version": 2}]}',
    "no versions named": PUMP.replace("model_version_policy { specific { versions: 1 } } ", ""),
    "the latest": PUMP.replace("specific { versions: 1 }", "latest { num_versions: 1 }"),
    "all that are there": PUMP.replace("specific { versions: 1 }", "all {}"),
    "no list": "custom_model_config {}",
    "a relative place": PUMP.replace("%s/", ""),
    "no platform": PUMP.replace('model_platform: "tensorflow" ', ""),
    "one model twice": f"{PUMP} {PUMP}",
    "no name": PUMP.replace('name: "pump"', 'name: ""'),
    "a folder": "FOLDER",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for version in ("1", "2"):
        directory = tmp_path / "pump" / version
        directory.mkdir(parents=True)
        (directory / "saved_model.pb").write_bytes(b"graph")
    return tmp_path


def put(root: Path, content: str | bytes | None) -> None:
    file = root / MODELS_CONFIG
    if file.is_dir():
        file.rmdir()
    file.unlink(missing_ok=True)
    if content == "FOLDER":
        file.mkdir()
    elif isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        file.write_text(content.replace("%s", str(root)))


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_start_with_a_file_that_releases_nothing_serves_nothing_and_says_so(
    root: Path, content: str | bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    put(root, content)
    released = Released(root)
    assert released.models() == {} and released.models() == {}
    assert len(caplog.messages) == 1, "the problem is logged once"
    assert str(root / MODELS_CONFIG) in caplog.text and "nothing is served" in caplog.text


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_becomes_wrong_leaves_what_was_released(
    root: Path, content: str | bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    put(root, PUMP)
    released = Released(root)
    before = dict(released.models())
    assert before["pump"].policy == Specific(frozenset({1}))
    put(root, content)
    assert released.models() == before
    assert "the last valid configuration stays in effect" in caplog.text
    put(root, PUMP.replace("versions: 1", "versions: 2"))
    assert released.models()["pump"].policy == Specific(frozenset({2}))


def test_an_empty_list_releases_nothing_on_purpose(root: Path) -> None:
    put(root, PUMP)
    released = Released(root)
    assert set(released.models()) == {"pump"}
    put(root, "model_config_list {}")
    assert released.models() == {}


def test_a_class_that_the_file_does_not_name_is_not_served(root: Path) -> None:
    (root / "fan" / "7").mkdir(parents=True)
    put(root, PUMP)
    assert set(Released(root).models()) == {"pump"}
    assert set(Unreleased(root).models()) == {"pump", "fan"}


def test_a_file_of_the_operators_own_may_leave_the_choice_to_the_server(root: Path) -> None:
    """`--model-config` is read as TensorFlow Serving reads it."""
    put(root, BROKEN["no versions named"])
    assert set(Written(root / MODELS_CONFIG).models()) == {"pump"}
