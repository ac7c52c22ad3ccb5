"""A model store between two machines: one exports and promotes, the other serves, and refuses damaged versions.

The store is reached through fsspec: a folder by its URI, and an object store without directories or renames in memory.
"""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np
import pytest
from support.registered_plant import register, registered
from support.small_models import write_version

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import checksums, export, local, model_store, promotion, release_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving.client import PredictClient

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def elsewhere(site: Site, name: str) -> Site:
    """The same site file on another machine: nothing in its workspace."""
    return site.model_copy(update={"workspace": str(workspace_of(site).root.parent / name)})


def test_what_is_exported_here_is_served_there(tmp_path: Path) -> None:
    site = registered(tmp_path)
    uri = (tmp_path / "store").as_uri()
    site = site.model_copy(update={"serving": site.serving.model_copy(update={"models": uri})})
    export.export_class(site, "pump")
    register(site, seed=1)
    promotion.promote(site, "pump", 2)
    released = (tmp_path / "store" / "models.config").read_text()
    assert f'base_path: "{uri}/pump"' in released and "versions: 2" in released
    assert checksums.problems(tmp_path / "store" / "pump" / "2") == []

    box = elsewhere(site, "box")
    local.start(box)
    try:
        (model,) = local.status(box).models
        assert (model.version, model.state) == (2, "AVAILABLE")
        with PredictClient(local.status(box).address) as client:
            assert client.predict("pump", ["pump-1"], np.zeros((1, 40, 5), np.float32), "champion").version == 2
    finally:
        local.stop(box)

    # the store is unreachable: versions fetched before are served; a machine without any reports it
    away = site.serving.model_copy(update={"models": "ftp://127.0.0.1:1/models"})
    release_config.fetch(box.model_copy(update={"serving": away}))
    with pytest.raises(EugenieError, match=r"ftp://127.0.0.1:1/models cannot be used: .*refused") as refused:
        release_config.fetch(elsewhere(site, "new").model_copy(update={"serving": away}))
    assert refused.value.exit_code is ExitCode.UNREACHABLE

    # a file that changed after the export
    (tmp_path / "store" / "pump" / "2" / "saved_model.pb").write_bytes(b"cut")
    with pytest.raises(EugenieError, match=r"damaged: saved_model.pb has changed since the export") as refused:
        release_config.fetch(elsewhere(site, "late"))
    assert refused.value.exit_code is ExitCode.REFUSED
    assert not (workspace_of(elsewhere(site, "late")).models / "pump" / "2").exists()


def test_in_an_object_store_a_version_is_whole_when_its_graph_is_there(tmp_path: Path) -> None:
    version = write_version(tmp_path, "pump", 1)
    checksums.write(version)
    memory, order = fsspec.filesystem("memory"), []
    bucket = model_store.ModelStore("memory://bucket/models")
    put = memory.put_file
    bucket._files.put_file = lambda here, there: (order.append(there), put(here, there))
    try:
        assert bucket.put("pump", 1, version)
        assert order[-1].endswith("pump/1/saved_model.pb") and len(order) == sum(
            p.is_file() for p in version.rglob("*")
        )
        assert not bucket.put("pump", 1, version)  # it exists
        (version / "fingerprint.pb").write_bytes(b"another")
        checksums.write(version)
        with pytest.raises(EugenieError, match="are different exports"):
            bucket.put("pump", 1, version)
        assert bucket.fetch("pump", 1, tmp_path / "models")
        assert not bucket.fetch("pump", 1, tmp_path / "models")
        assert checksums.problems(tmp_path / "models" / "pump" / "1") == []
        with pytest.raises(EugenieError, match="has no pump version 7"):
            bucket.fetch("pump", 7, tmp_path / "models")
    finally:
        del bucket._files.put_file
        memory.rm("/bucket", recursive=True)


def test_a_pipeline_leaves_the_store_to_the_step_that_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No S3 library is installed: access to the store would fail."""
    site = Site.model_validate(
        {
            "site": "north",
            "workspace": str(tmp_path),
            "classes": {"pump": {"sensors": [{"name": "flow"}]}},
            "assets": {"p-1": {"class": "pump"}},
            "serving": {"models": "s3://plant-models/north"},
        }
    )
    monkeypatch.setenv(model_store.LEFT_ALONE, "off")
    release_config.write(site, {"pump": ReleasedModel("pump", "", (2,), {"champion": 2})})
    assert release_config.read(site)["pump"].versions == (2,)
    monkeypatch.delenv(model_store.LEFT_ALONE)
    with pytest.raises(EugenieError, match=r"serving\.models: s3://plant-models/north"):
        release_config.write(site, release_config.read(site))


def test_a_library_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(EugenieError, match="needs a library") as refused:
        model_store.ModelStore("gs://bucket/models")
    assert refused.value.hint == "pip install 'eugenie[gs]'"
    with pytest.raises(EugenieError, match="Protocol not known: carrier-pigeon"):
        model_store.ModelStore("carrier-pigeon://roof")


def test_the_store_of_a_site_is_a_uri_or_a_folder_beside_its_file(tmp_path: Path) -> None:
    site = registered(tmp_path)
    assert model_store.of_site(site) is None
    assert model_store.location("models", site) == str(site.base / "models")
    assert model_store.location("s3://bucket/models", site) == "s3://bucket/models"
