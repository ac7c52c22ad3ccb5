"""The local tracking store is created once, however many processes start to use it at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

FIRST_USE = """
import sys
from eugenie_cli.site.load import load_site
from eugenie_cli.training import mlflow_store

mlflow_store.client(load_site(sys.argv[1]))
"""
SITE = "site: small\nworkspace: work\nclasses: {pump: {sensors: [{name: a}]}}\nassets: {p1: {class: pump}}\n"


def test_two_first_users_at_once(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SITE, encoding="utf-8")
    users = [
        subprocess.Popen([sys.executable, "-c", FIRST_USE, str(file)], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [user.communicate(timeout=120)[1] for user in users]
    assert [user.returncode for user in users] == [0, 0], "\n".join(outputs)


def test_deletions_in_mlflow_are_reported_and_promote_no_version(tmp_path: Path) -> None:
    """A run whose version remains, a champion, the experiment: each deleted in turn."""
    from support import sample_detector

    from eugenie_cli.errors import EugenieError
    from eugenie_cli.site.load import load_site
    from eugenie_cli.training import artifact, mlflow_store, run_record
    from eugenie_cli.training.registry import Registry

    file = tmp_path / "small.yaml"
    file.write_text(SITE, encoding="utf-8")
    site = load_site(file)
    client, registry = mlflow_store.client(site), Registry(site)
    detector = tmp_path / "detector"
    artifact.save(sample_detector.detector(), detector)
    experiment = mlflow_store.experiment(site, client)

    def train() -> tuple[str, ...]:
        run = client.create_run(experiment).info.run_id
        client.log_metric(run, "margin", 1.0)
        client.log_artifacts(run, str(detector), mlflow_store.DETECTOR)
        return registry.register("pump", run, f"file://{tmp_path}", {"recipe": "same"}).aliases

    assert train() == ("champion",)
    assert train() == ("challenger",)
    gone = registry.resolve("pump", 2).run_id
    client.delete_run(gone)
    client._tracking_client.store._hard_delete_run(gone)  # as `mlflow gc` does
    newest, first = registry.versions("pump")
    assert (newest.orphaned, newest.metrics, first.orphaned) == (True, None, False)
    assert registry.made_by("pump", "recipe", "same").version == 1  # a version without a run is trained again
    with pytest.raises(EugenieError, match="its detector is unreadable"):
        registry.load(newest)
    with pytest.raises(EugenieError, match=f"has no run {gone}"):
        run_record.of_run(client, gone)

    client.delete_model_version(mlflow_store.registered_name(site, "pump"), "1")
    assert registry.champion("pump") is None
    assert train() == ("challenger",)
    assert registry.champion("pump") is None

    client.delete_experiment(experiment)
    with pytest.raises(EugenieError, match="was deleted") as caught:
        mlflow_store.experiment(site, client)
    assert "mlflow experiments restore" in caught.value.hint and str(file) in caught.value.hint
