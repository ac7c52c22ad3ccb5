"""A workspace that was moved elsewhere is fully usable there: the backup that README describes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.tracked_plant import trained

from eugenie_cli.serving import release_config, runtime
from eugenie_cli.training.registry import Registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def test_a_moved_workspace_exports_trains_and_serves(tmp_path: Path) -> None:
    first = trained(tmp_path / "plant")
    plant = first.copied(tmp_path / "a restored one")
    shutil.rmtree(first.folder)
    try:
        served = runtime.start(plant.site)
        assert [(model.name, model.version, model.state) for model in served.models] == [("pump", 1, "AVAILABLE")]
        [released] = release_config.read(plant.site).values()
        assert released.base_path == str(plant.workspace / "models" / "pump")
    finally:
        runtime.stop(plant.site)
    shutil.rmtree(plant.workspace / "models" / "pump")
    for words in (["export"], ["train"], ["train", "--again"], ["models", "promote", "pump", "4"], ["evaluate"]):
        done = plant.run(*words)
        assert not done.error, f"{words}: {done.error}\n{done.crash}"
    registry = Registry(plant.site)
    for version in registry.versions("pump"):
        registry.load(version)
        address = registry.client.get_run(version.run_id).info.artifact_uri
        assert address.startswith((plant.workspace / "mlflow" / "artifacts").as_uri())
    assert not first.folder.exists(), "something was written to the old place"


def test_what_changes_no_model_trains_no_version(tmp_path: Path) -> None:
    plant = trained(tmp_path / "plant")
    text = plant.file.read_text(encoding="utf-8")
    kept = {
        "a unit": ("{name: b}", "{name: b, unit: bar}"),
        "a limit that excludes nothing": ("{name: b}", "{name: b, high: 1000000}"),
        "a cooldown": ("model:", "alarm: {cooldown: 9}, model:"),
        "a gate": ("model:", "promotion: {last: 1d}, model:"),
        "a time zone": ("site: plant", "site: plant\ntimezone: Europe/Berlin"),
        "another topic": ("site: plant", "site: plant\nkafka: {topics: {readings: others}}"),
        "an asset without readings": ("assets:", "assets:\n  p0: {class: pump}"),
    }
    trains = {
        "a budget": ("model:", "alarm: {budget: 0.02}, model:"),
        "a delay that thresholds of episodes depend on": ("model:", "alarm: {on_delay: 9}, model:"),
        "a role": ("{name: b}", "{name: b, role: scored}"),
        "a limit that excludes readings": ("{name: b}", "{name: b, high: 20.5}"),
    }
    for number, (what, (old, new)) in enumerate({**kept, **trains}.items()):
        plant.file.write_text(text.replace(old, new), encoding="utf-8")
        done = plant.run("train")
        assert not done.error, f"{what}: {done.error}\n{done.crash}"
        assert ("keeping version 3" in done.said) is (number < len(kept)), what
