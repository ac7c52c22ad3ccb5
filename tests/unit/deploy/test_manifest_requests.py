"""Requests that cannot be rendered are refused, with a hint."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.rendered_sites import PLANT, request_of, site_of

from eugenie_cli.deploy import compose, kserve, kubeflow, kubernetes, seldon
from eugenie_cli.deploy.request import parse_canaries
from eugenie_cli.deploy.store_location import StoreLocation, store_location
from eugenie_cli.deploy.versions import released
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import release_config as record
from eugenie_cli.serving.release_config import exported
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.load import workspace_of

S3 = {"models": "s3://bucket/path/"}
TLS = {"tls": {"certificate": "server.pem", "key": "server.key"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pump", "expected CLASS=PERCENT"),
        ("pump=", "expected CLASS=PERCENT"),
        ("pump=0", "expected CLASS=PERCENT"),
        ("pump=100", "expected CLASS=PERCENT"),
        ("pump=ten", "expected CLASS=PERCENT"),
        ("pump=²", "expected CLASS=PERCENT"),
        ("valve=10", "there is no class valve"),
    ],
)
def test_a_canary_is_a_class_and_a_percentage(text, message):
    with pytest.raises(EugenieError, match=message) as raised:
        parse_canaries([text], ["pump", "fan"])
    assert raised.value.exit_code is ExitCode.USAGE


def test_a_class_has_one_canary():
    assert parse_canaries(["pump=10", "fan=1"], ["pump", "fan"]) == {"pump": 10, "fan": 1}
    with pytest.raises(EugenieError, match="given twice"):
        parse_canaries(["pump=10", "pump=20"], ["pump", "fan"])


@pytest.mark.parametrize("gpus", ["all", ["0"], ["MIG-1", "MIG-2"]])
@pytest.mark.parametrize("target", [kubernetes, kserve, seldon])
def test_kubernetes_chooses_gpus_itself(gpus, target):
    with pytest.raises(EugenieError, match="chooses which") as raised:
        target.documents(request_of({**S3, "gpus": gpus}))
    assert raised.value.exit_code is ExitCode.REFUSED
    assert "gpus: 1" in raised.value.hint


@pytest.mark.parametrize("target", [kubernetes, compose, kubeflow])
def test_a_canary_needs_a_target_that_splits_requests(target):
    with pytest.raises(EugenieError, match="does not split requests") as raised:
        target.documents(request_of(S3, canaries={"pump": 10}))
    assert raised.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize("target", [kserve, seldon])
def test_a_canary_needs_two_versions(target):
    with pytest.raises(EugenieError, match="version 1, is the newest version"):
        target.documents(request_of(S3, canaries={"fan.v2": 10}))


@pytest.mark.parametrize("target", [kserve, seldon])
def test_a_pinned_version_must_have_been_released(target):
    with pytest.raises(EugenieError, match=r"no version of fan\.v2 is released") as raised:
        target.documents(request_of(S3, champions={"pump": 2}))
    assert raised.value.hint == "eugenie export --class fan.v2"


def released_as(request, name, *versions, **labels):
    """The request, with other released versions of one class."""
    models = [
        replace(model, versions=versions, labels=labels) if model.name == name else model for model in request.models
    ]
    return replace(request, models=tuple(models))


@pytest.mark.parametrize(("target", "kind"), [(kserve, "InferenceService"), (seldon, "Model")])
def test_the_champion_is_pinned_rather_than_a_challenger(target, kind):
    request = released_as(request_of(S3), "pump", 2, 3, champion=2, challenger=3)
    (pump,) = (
        resource
        for resource in target.resources(request)
        if resource["kind"] == kind and resource["metadata"]["annotations"]["eugenie/class"] == "pump"
    )
    pinned = pump["spec"].get("artifactVersion") or int(pump["metadata"]["annotations"]["eugenie/version"])
    assert pinned == 2
    with pytest.raises(EugenieError, match="versions 2, 3 of pump are released, but none is champion"):
        target.documents(released_as(request, "pump", 2, 3))


@pytest.mark.parametrize("target", [kubernetes, compose])
@pytest.mark.parametrize("models", ["/srv/models", "gs://bucket/path"])
def test_a_list_of_models_names_only_released_versions(target, models):
    request = request_of({"models": models}, champions={"pump": 2})
    text = "".join(document.text for document in target.documents(request))
    assert text.count("versions: 2") == 1 and "versions: 3" not in text and "latest" not in text
    assert "fan.v2" not in text, "it has no released version"
    assert any("it has no released version" in step for step in target.steps(request, PLANT))
    both = released_as(request, "pump", 2, 3, champion=2, challenger=3)
    text = "".join(document.text for document in target.documents(both))
    assert all(line in text for line in ("versions: 2", "versions: 3", 'key: "challenger"'))


@pytest.mark.parametrize("target", [kubernetes, kserve, seldon, compose])
def test_tls_is_refused_rather_than_ignored(target):
    with pytest.raises(EugenieError, match=r"serving\.tls cannot be rendered"):
        target.documents(request_of({**S3, **TLS}))


def test_seldon_refuses_models_in_a_folder():
    with pytest.raises(EugenieError, match="from an object store"):
        seldon.documents(request_of({"models": "/srv/models"}))


@pytest.mark.parametrize(
    ("written", "store", "uri", "rclone"),
    [
        ("s3://b", StoreLocation("s3", "", "b"), "s3://b/pump", "models:b/pump"),
        ("s3://b/a/c/", StoreLocation("s3", "a/c", "b"), "s3://b/a/c/pump", "models:b/a/c/pump"),
        ("gs://b/a", StoreLocation("gs", "a", "b"), "gs://b/a/pump", "models:b/a/pump"),
        (
            "abfs://box@account1.dfs.core.windows.net/a",
            StoreLocation("azure", "a", "box", "account1"),
            "abfs://box@account1.dfs.core.windows.net/a/pump",
            "models:box/a/pump",
        ),
    ],
)
def test_stores_in_the_notations_of_their_readers(written, store, uri, rclone):
    location = store_location(site_of({"models": written}))
    assert location == store
    assert location.uri("pump") == uri
    assert location.rclone("pump") == rclone


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("hdfs://cluster/models", "no model server can read"),
        ("s3://", "no model server can read"),
        ("s3://user@host/path", "no model server can read"),
        ("abfs://box/path", "does not name a storage account"),
        ("abfs://box@elsewhere.example/path", "does not name a storage account"),
    ],
)
def test_an_unreadable_store_is_named(written, message):
    with pytest.raises(EugenieError, match=message) as raised:
        store_location(site_of({"models": written}))
    assert raised.value.exit_code is ExitCode.INVALID_SITE


def test_folders_are_relative_to_the_site_and_default_to_the_workspace():
    assert store_location(site_of({})).path == "/srv/plant/.eugenie/plant/models"
    assert store_location(site_of({"models": "shared"})).path == "/srv/plant/shared"


def test_exported_versions_are_folders_with_the_numbers_that_export_assigns(tmp_path):
    site = site_of({}).model_copy(update={"workspace": str(tmp_path)})
    for name in ("pump/10", "pump/9", "pump/.staged-x", "pump/007", "pump/new"):
        (tmp_path / "models" / name).mkdir(parents=True)
    (tmp_path / "models" / "pump" / "11").write_text("a file is not a version")
    assert exported(site) == {"fan.v2": (), "pump": (9, 10)}


def test_released_versions_are_served_together_with_the_newest_as_a_canary(tmp_path):
    site = site_of({}).model_copy(update={"base": tmp_path})
    models = workspace_of(site).models
    for version in (2, 3, 4):
        (models / "pump" / str(version)).mkdir(parents=True)
    assert [model.versions for model in released(site)] == [(), ()], "exported versions are not released yet"
    record.write(site, {"pump": ReleasedModel("pump", "", (2,), {"champion": 2})})
    fan, pump = released(site)
    assert (fan.versions, pump.versions, pump.labels, pump.base_path) == ((), (2,), {"champion": 2}, "pump")
    assert [model.versions for model in released(site, canaries={"pump": 10})] == [(), (2, 4)]


@pytest.mark.parametrize("text", ["", 'model_config_list { config { name: "booster-pump"  base_path: '])
def test_a_broken_list_of_releases_renders_nothing(tmp_path, text):
    site = site_of({}).model_copy(update={"base": tmp_path})
    (workspace_of(site).models / "pump" / "2").mkdir(parents=True)
    record.file_of(site).write_text(text)
    if text:
        with pytest.raises(EugenieError, match=r"models\.config is not a ModelServerConfig: 1:\d+"):
            released(site)
    else:
        assert [model.versions for model in released(site)] == [(), ()]


def test_the_stores_list_of_releases_is_used_without_one_in_the_workspace(tmp_path):
    store = tmp_path / "store"
    here = site_of({"models": str(store)}).model_copy(update={"base": tmp_path / "here"})
    record.write(here, {"pump": ReleasedModel("pump", "", (2,), {"champion": 2})})
    elsewhere = site_of({"models": str(store)}).model_copy(update={"base": tmp_path / "elsewhere"})
    assert [model.versions for model in released(elsewhere)] == [(), (2,)]
