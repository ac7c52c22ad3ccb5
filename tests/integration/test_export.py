"""Export: a registered detector becomes a SavedModel that can be served, or is refused."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.registered_plant import registered, sample_detector

from eugenie_cli.detection.detectors import registry
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.site_history import open_history
from eugenie_cli.serving import (
    check_samples,
    checksums,
    export,
    export_check,
    model_info,
    publish,
    release_config,
    warm_up,
)
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.training import model_card
from eugenie_cli.training.registry import Registry

pytestmark = pytest.mark.integration


@pytest.fixture(params=registry.FORECASTERS)
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    return registered(tmp_path, request.param)


def test_the_champion_is_published_once_and_says_what_the_network_says(site: Site) -> None:

    first = export.export_class(site, "pump")
    assert first.path == workspace_of(site).models / "pump" / "1"
    assert not first.already
    assert first.largest_difference is not None
    assert first.largest_difference < 1e-4
    again = export.export_class(site, "pump", 1)
    assert again == publish.ExportedModel("pump", 1, first.path, already=True, released=True)
    assert {name: (model.versions, model.labels) for name, model in release_config.read(site).items()} == {
        "pump": ((1,), {"champion": 1})
    }

    info = model_info.read(first.path)
    model_info.check(info, site.fleet("pump"))
    assert (info.run_id, info.data_fingerprint) == (Registry(site).resolve("pump", 1).run_id, "ab12")
    assert [path.name for path in first.path.parent.glob(".staged-*")] == []

    requests = list(warm_up.read(first.path))
    shapes = [tuple(size.size for size in request.inputs["rows"].tensor_shape.dim) for request in requests]
    assert shapes == [
        (1, 40, 5),
        (1, 40 + 255, 5),
        (3, 40, 5),
    ]  # one row of one asset, many rows of one, one row of each
    summed = subprocess.run(
        ["sha256sum", "--check", "--strict", str(checksums.LOCATION)], cwd=first.path, capture_output=True, check=False
    )
    assert summed.returncode == 0 and checksums.problems(first.path) == []


def test_a_model_card_and_checksums_travel_with_it(site: Site) -> None:
    path = export.export_class(site, "pump").path
    text = (path / model_card.LOCATION).read_text()
    registered = Registry(site).resolve("pump", 1)
    for words in (
        "# pump, version 1",
        "`ab12`",
        registered.run_id,
        "| pump-2 | ",
        "its own rows",
        "eugenie 0.",
        "1.2 times",
    ):
        assert words in text, words
    kept = Registry(site).client.download_artifacts(registered.run_id, model_card.LOCATION.name)
    assert Path(kept).read_text() == text

    # later changes are detected
    (path / "fingerprint.pb").write_bytes(b"other")
    (path / model_card.LOCATION).unlink()
    missing, changed = checksums.problems(path)
    assert missing == "assets.extra/model_card.md is missing"
    assert changed.startswith("fingerprint.pb has changed since the export")


def test_a_graph_that_disagrees_is_refused_with_the_place_and_leaves_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph is written from weights that are slightly wrong."""
    write, gates = publish._write, {"lstm_kernel", "gates_kernel"}

    def wrong(detector, info, directory):
        weights = {name: value * (1.02 if name in gates else 1) for name, value in detector.network.items()}
        assert gates & set(weights)
        write(dataclasses.replace(detector, network=weights), info, directory)

    monkeypatch.setattr(publish, "_write", wrong)
    with pytest.raises(EugenieError) as refused:
        export.export_class(site, "pump")
    assert refused.value.exit_code == ExitCode.REFUSED
    for words in ("largest difference", "SavedModel", "trained network", " of pump-", "row "):
        assert words in refused.value.reason
    folder = workspace_of(site).models / "pump"
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_samples_are_real_rows_with_holes_and_an_unknown_asset(site: Site) -> None:
    detector = sample_detector.detector()
    samples = check_samples.collect(site.fleet("pump"), open_history(site), detector)
    assert samples.real == 1  # only pump-1 has a history
    assert samples.assets == ("pump-1", "pump-2", "pump-3", "pump-1", "pump-1", "pump-1", check_samples.UNKNOWN)
    assert np.isfinite(samples.rows[0]).all()
    assert np.isnan(samples.rows[3:6]).any(axis=(1, 2)).all()
    assert samples.rows.shape == (7, detector.window + check_samples.SCORED_ROWS - 1, 5)


def test_a_score_against_nan_is_a_disagreement() -> None:
    ones = np.ones(2)
    assert export_check._excess(np.array([1.0, np.nan]), np.array([1.0, np.nan]), ones).tolist() == [0, 0]
    assert export_check._excess(np.array([1.0, 3.0]), np.array([1.0, np.nan]), ones).tolist() == [0, np.inf]
    assert export_check._excess(np.array([np.inf, 3.0]), np.array([1.0, 1.0]), ones).tolist() == [np.inf, 2]


def test_the_export_of_another_run_is_not_passed_off_as_this_one(site: Site) -> None:
    published = export.export_class(site, "pump").path
    path = published / model_info.LOCATION
    path.write_text(model_info.render(dataclasses.replace(model_info.read(published), run_id="another")))
    with pytest.raises(EugenieError, match="holds the export of run another") as refused:
        export.export_class(site, "pump")
    assert refused.value.exit_code == ExitCode.REFUSED


def test_a_version_number_needs_one_class(site: Site) -> None:
    of_two = site.model_copy(update={"classes": {**site.classes, "valve": site.classes["pump"]}})
    with pytest.raises(EugenieError, match="of which class"):
        export.export_classes(of_two, ["pump", "valve"], 3)
    with pytest.raises(EugenieError, match="there is no class valve"):
        export.export_classes(site, ["pump", "valve"], 3)
