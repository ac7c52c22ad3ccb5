"""The files of every target, byte for byte and validated by schema. EUGENIE_GOLDEN=write rewrites the golden files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from support.published_schemas import check_compose, check_resource
from support.rendered_sites import request_of

from eugenie_cli.deploy.render import TARGETS
from eugenie_cli.tfserving.protos import config_pb2

GOLDEN = Path(__file__).parents[2] / "golden" / "deploy"

S3 = "s3://plant-models/eugenie"
AZURE = "abfs://models@plantstore.dfs.core.windows.net/eugenie"
CASES = {
    "kubernetes-folder": ("kubernetes", request_of({"models": "/srv/models", "rest_port": 0})),
    "kubernetes-s3-gpu": (
        "kubernetes",
        request_of(
            {"models": S3, "gpus": 1, "memory_fraction": 0.5, "batching": {"max_batch": 128}},
            secret="models-store",
            stream_namespace="streams",
        ),
    ),
    "kubernetes-gs": ("kubernetes", request_of({"models": "gs://plant-models"}, secret="models-store")),
    "kserve-s3-canary": ("kserve", request_of({"models": S3}, secret="models-store", canaries={"pump": 10})),
    "kserve-folder-gpu": ("kserve", request_of({"gpus": 1})),
    "seldon-azure-canary": (
        "seldon",
        request_of({"models": AZURE, "gpus": 1}, secret="models-store", canaries={"pump": 25}),
    ),
    "compose-folder-gpu": (
        "compose",
        request_of({"models": "/srv/models", "gpus": ["0", "GPU-1f2e"], "port": 9500, "rest_port": 9501}),
    ),
    "compose-azure": ("compose", request_of({"models": AZURE, "host": "10.0.0.7"})),
    "kubeflow-folder": ("kubeflow", request_of(image="plant/eugenie:1")),
    "kubeflow-s3": ("kubeflow", request_of({"models": S3}, image="plant/eugenie:1", secret="models-store")),
}
named = pytest.mark.parametrize("name", CASES)


def files_of(name: str) -> dict[str, str]:
    """The rendered files, and the next steps that the command prints."""
    target, request = CASES[name]
    texts = {document.name: document.text for document in TARGETS[target].documents(request)}
    steps = TARGETS[target].steps(request, Path("out"))
    return {**texts, "steps.txt": "".join(f"{step}\n" for step in steps)}


def resources_of(name: str) -> list[dict]:
    return [
        document
        for file, text in files_of(name).items()
        if file.endswith(".yaml")
        for document in yaml.safe_load_all(text)
    ]


@named
def test_the_files_are_the_golden_ones(name):
    folder, files = GOLDEN / name, files_of(name)
    if os.environ.get("EUGENIE_GOLDEN") == "write":
        shutil.rmtree(folder, ignore_errors=True)
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    golden = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert golden.keys() == files.keys()
    for file, text in files.items():
        assert text == golden[file].read_text(encoding="utf-8"), file


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("compose", "kubeflow"))])
def test_every_resource_fits_its_schema(name):
    documents = resources_of(name)
    assert documents
    for document in documents:
        check_resource(document)
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("compose")])
def test_the_compose_file_fits_its_schema_and_mounts_only_rendered_files(name):
    files = files_of(name)
    project = yaml.safe_load(files["compose.yaml"])
    check_compose(project)
    written = {Path(file).parts[0] for file in files}
    for service in project["services"].values():
        for volume in service["volumes"]:
            if volume["source"].startswith("./"):
                assert Path(volume["source"]).parts[0] in written


@pytest.mark.parametrize(
    "damage",
    [
        lambda spec: spec["predictor"].update(canaryTraffic=3),
        lambda spec: spec["predictor"]["model"].update(storageURI="s3://x"),
        lambda spec: spec["predictor"].update(minReplicas="1"),
    ],
)
def test_the_schema_rejects_unknown_fields_and_wrong_types(damage):
    resources = resources_of("kserve-s3-canary")
    service = next(resource for resource in resources if resource["kind"] == "InferenceService")
    damage(service["spec"])
    with pytest.raises(Exception, match=r"Additional properties|is not of type"):
        check_resource(service)


def test_the_schema_rejects_fields_that_kubernetes_does_not_have():
    deployment = next(resource for resource in resources_of("kubernetes-gs") if resource["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["port"] = 1
    with pytest.raises(Exception, match="port"):
        check_resource(deployment)


@named
def test_the_same_site_gives_the_same_bytes(name):
    assert files_of(name) == files_of(name)


@named
def test_no_file_has_anchors_or_trailing_blanks(name):
    for file, text in files_of(name).items():
        assert "&id" not in text and text.endswith("\n") and not text.endswith("\n\n"), file
        assert not any(line != line.rstrip() for line in text.splitlines()), file


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(("kubernetes", "compose"))])
def test_the_arguments_name_the_files_that_are_rendered_for_tensorflow_serving(name):
    files = files_of(name)
    if "compose.yaml" in files:
        texts = {Path(file).name: text for file, text in files.items()}
        arguments = yaml.safe_load(files["compose.yaml"])["services"]["model-server"]["command"]
    else:
        documents = resources_of(name)
        texts = next(document["data"] for document in documents if document["metadata"]["name"].endswith("-config"))
        deployment = next(document for document in documents if document["kind"] == "Deployment")
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    named_files = [Path(argument.partition("=")[2]).name for argument in arguments if "=/etc/eugenie/" in argument]
    assert set(named_files) <= set(texts)
    assert ("--enable_batching=true" in arguments) == ("batching.config" in texts)
    if "--model_config_file=/models/models.config" in arguments:  # the store's, which another container copies
        assert "models.config" not in texts
        return
    config = text_format.Parse(texts["models.config"], config_pb2.ModelServerConfig())
    served = {
        model.name: list(model.model_version_policy.specific.versions) for model in config.model_config_list.config
    }
    assert served == {"fan.v2": [1], "pump": [2]}, "the newest version of pump is a challenger"
