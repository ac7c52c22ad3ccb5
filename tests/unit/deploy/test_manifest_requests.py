"""What cannot be rendered is refused, with what to do instead."""

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
    ("text", "words"),
    [
        ("pump", "a class and the percent"),
        ("pump=", "a class and the percent"),
        ("pump=0", "a class and the percent"),
        ("pump=100", "a class and the percent"),
        ("pump=ten", "a class and the percent"),
        ("pump=²", "a class and the percent"),
        ("valve=10", "there is no class valve"),
    ],
)
def test_a_canary_is_a_class_and_a_percent(text, words):
    with pytest.raises(EugenieError, match=words) as raised:
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
def test_a_canary_needs_somebody_who_divides_requests(target):
    with pytest.raises(EugenieError, match="does not divide requests") as raised:
        target.documents(request_of(S3, canaries={"pump": 10}))
    assert raised.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize("target", [kserve, seldon])
def test_a_canary_needs_two_versions(target):
    with pytest.raises(EugenieError, match="version 1 is the newest one"):
        target.documents(request_of(S3, canaries={"fan.v2": 10}))


@pytest.mark.parametrize("target", [kserve, seldon])
def test_a_pinned_version_must_have_been_released(target):
    with pytest.raises(EugenieError, match=r"no version of fan\.v2 is released") as raised:
        target.documents(request_of(S3, champions={"pump": 2}))
    assert raised.value.hint == "eugenie export --class fan.v2"


def released_as(request, name, *versions, **labels):
    """The request, with other versions of one class released."""
    models = [replace(one, versions=versions, labels=labels) if one.name == name else one for one in request.models]
    return replace(request, models=tuple(models))


@pytest.mark.parametrize(("target", "kind"), [(kserve, "InferenceService"), (seldon, "Model")])
def test_of_a_champion_and_a_challenger_the_champion_is_pinned(target, kind):
    request = released_as(request_of(S3), "pump", 2, 3, champion=2, challenger=3)
    (pump,) = (
        one
        for one in target.resources(request)
        if one["kind"] == kind and one["metadata"]["annotations"]["eugenie/class"] == "pump"
    )
    pinned = pump["spec"].get("artifactVersion") or int(pump["metadata"]["annotations"]["eugenie/version"])
    assert pinned == 2
    with pytest.raises(EugenieError, match="versions 2, 3 of pump are released, and none is champion"):
        target.documents(released_as(request, "pump", 2, 3))


@pytest.mark.parametrize("target", [kubernetes, compose])
@pytest.mark.parametrize("models", ["/srv/models", "gs://bucket/path"])
def test_a_list_of_models_names_released_versions_and_no_others(target, models):
    request = request_of({"models": models}, champions={"pump": 2})
    text = "".join(one.text for one in target.documents(request))
    assert text.count("versions: 2") == 1 and "versions: 3" not in text and "latest" not in text
    assert "fan.v2" not in text, "nothing of it is released"
    assert any("no version of it is released" in step for step in target.steps(request, PLANT))
    both = released_as(request, "pump", 2, 3, champion=2, challenger=3)
    text = "".join(one.text for one in target.documents(both))
    assert all(words in text for words in ("versions: 2", "versions: 3", 'key: "challenger"'))


@pytest.mark.parametrize("target", [kubernetes, kserve, seldon, compose])
def test_tls_is_not_passed_over_in_silence(target):
    with pytest.raises(EugenieError, match=r"serving\.tls is not rendered"):
        target.documents(request_of({**S3, **TLS}))


def test_seldon_has_no_use_for_a_folder():
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
def test_stores_in_the_spellings_of_their_readers(written, store, uri, rclone):
    found = store_location(site_of({"models": written}))
    assert found == store
    assert found.uri("pump") == uri
    assert found.rclone("pump") == rclone


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("hdfs://cluster/models", "no model server can read"),
        ("s3://", "no model server can read"),
        ("s3://user@host/path", "no model server can read"),
        ("abfs://box/path", "which storage account"),
        ("abfs://box@elsewhere.example/path", "which storage account"),
    ],
)
def test_a_store_that_nobody_can_read_is_named(written, words):
    with pytest.raises(EugenieError, match=words) as raised:
        store_location(site_of({"models": written}))
    assert raised.value.exit_code is ExitCode.INVALID_SITE


def test_folders_are_relative_to_the_site_and_default_to_the_workspace():
    assert store_location(site_of({})).path == "/srv/plant/.eugenie/plant/models"
    assert store_location(site_of({"models": "shared"})).path == "/srv/plant/shared"


def test_exported_versions_are_the_numbers_that_export_makes(tmp_path):
    site = site_of({}).model_copy(update={"workspace": str(tmp_path)})
    for name in ("pump/10", "pump/9", "pump/.staged-x", "pump/007", "pump/new"):
        (tmp_path / "models" / name).mkdir(parents=True)
    (tmp_path / "models" / "pump" / "11").write_text("a file is no version")
    assert exported(site) == {"fan.v2": (), "pump": (9, 10)}


def test_what_is_released_is_served_and_a_canary_is_the_newest_beside_it(tmp_path):
    site = site_of({}).model_copy(update={"base": tmp_path})
    models = workspace_of(site).models
    for version in (2, 3, 4):
        (models / "pump" / str(version)).mkdir(parents=True)
    assert [model.versions for model in released(site)] == [(), ()], "exported is not released"
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


def test_the_store_says_what_is_released_where_the_workspace_does_not(tmp_path):
    store = tmp_path / "store"
    here = site_of({"models": str(store)}).model_copy(update={"base": tmp_path / "here"})
    record.write(here, {"pump": ReleasedModel("pump", "", (2,), {"champion": 2})})
    elsewhere = site_of({"models": str(store)}).model_copy(update={"base": tmp_path / "elsewhere"})
    assert [model.versions for model in released(elsewhere)] == [(), (2,)]
