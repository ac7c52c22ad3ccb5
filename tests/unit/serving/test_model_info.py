"""eugenie.json is written, read back, and compared with the site that uses the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import model_info
from eugenie_cli.site.schema import Site

SITE = Site.model_validate(
    {
        "site": "plant",
        "classes": {
            "pump": {
                "sensors": [{"name": "pressure", "unit": "bar"}, {"name": "current", "unit": "A"}],
                "step": "1s",
                "max_gap": "5s",
                "model": {"window": 120},
            }
        },
        "assets": {"pump-1": {"class": "pump"}, "pump-2": {"class": "pump"}},
    }
)
INFO = model_info.ModelInfo(
    class_name="pump",
    version=7,
    sensors=("pressure", "current"),
    units=("bar", "A"),
    window=120,
    horizons=(1, 5),
    step_ms=1_000,
    max_gap_ms=5_000,
    assets=("pump-1", "pump-2", "pump-retired"),
    run_id="4f",
    data_fingerprint="ab",
)


def write(directory: Path, text: str) -> Path:
    (directory / model_info.LOCATION).parent.mkdir()
    (directory / model_info.LOCATION).write_text(text)
    return directory


def test_a_written_document_is_read_back(tmp_path: Path) -> None:
    assert model_info.read(write(tmp_path, model_info.render(INFO))) == INFO


def test_a_model_of_this_class_fits_even_when_it_knows_more_assets() -> None:
    model_info.check(INFO, SITE.fleet("pump"))


def test_a_new_asset_does_not_block_the_others_and_is_named() -> None:
    known = replace(INFO, assets=("pump-1",))
    model_info.check(known, SITE.fleet("pump"))
    assert model_info.unknown_assets(known, SITE.assets_of("pump")) == ("pump-2",)
    assert "does not know pump-2: not scored until" in model_info.unknown_assets_message(known, SITE.assets_of("pump"))
    assert model_info.unknown_assets_message(INFO, SITE.assets_of("pump")) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_name": "valve"}, "class: the model has valve, the site pump"),
        ({"sensors": ("current", "pressure")}, "sensors: the model has ['current', 'pressure']"),
        ({"window": 60}, "window: the model has 60, the site 120"),
        ({"step_ms": 500}, "step: the model has 500 ms, the site 1000 ms"),
        ({"max_gap_ms": 1}, "max_gap: the model has 1 ms, the site 5000 ms"),
        ({"assets": ("pump-9",)}, "assets: the model does not know pump-1, pump-2"),
    ],
)
def test_each_disagreement_is_named(change: dict, words: str) -> None:
    with pytest.raises(EugenieError) as refused:
        model_info.check(replace(INFO, **change), SITE.fleet("pump"))
    assert refused.value.exit_code == ExitCode.REFUSED
    assert words in refused.value.reason
    assert refused.value.reason.count("the model ") == 1


def test_all_disagreements_are_named_at_once() -> None:
    with pytest.raises(EugenieError) as refused:
        model_info.check(replace(INFO, window=60, step_ms=500, assets=()), SITE.fleet("pump"))
    for word in ("window", "step", "pump-1, pump-2"):
        assert word in refused.value.reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ('{"schema": "other.v1"}', "schema must be 'eugenie.model.v1'"),
        ('{"schema": "eugenie.model.v1"}', "class is missing"),
        (model_info.render(INFO).replace("120", '"120"'), "window must be of type int, not '120'"),
    ],
)
def test_an_invalid_document_is_refused_with_the_file_and_the_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(EugenieError) as refused:
        model_info.read(write(tmp_path, text))
    assert words in refused.value.reason
    assert str(model_info.LOCATION) in refused.value.reason
    assert refused.value.exit_code == ExitCode.REFUSED


def test_a_directory_without_the_document_was_not_exported_by_eugenie(tmp_path: Path) -> None:
    with pytest.raises(EugenieError, match="not exported by eugenie"):
        model_info.read(tmp_path)
