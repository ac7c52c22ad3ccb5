"""The manifests for Kubernetes: well-formed, unprivileged, without secrets, and with the job as it is submitted."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from eugenie_cli.console import shown
from eugenie_cli.deploy import flink_application, output
from eugenie_cli.deploy.flink_deployment import manifests
from eugenie_cli.deploy.flink_image import flink_version
from eugenie_cli.deploy.flink_specification import specification
from eugenie_cli.deploy.names import site_label
from eugenie_cli.engines import jars, pyflink_program
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.streaming import package

SECURITY = {
    "protocol": "SASL_SSL",
    "mechanism": "SCRAM-SHA-512",
    "username": "eugenie",
    "password": "${env:A_VARIABLE_THAT_IS_NOT_SET}",
    "ca": "ca.pem",
}
SECURE = {"kafka": {"bootstrap": "broker.plant:9093", "security": SECURITY}}


def rendered(site, state: str | None = None) -> dict[str, Any]:
    """The documents by kind, written to YAML and read back."""
    name = site_label(site.site)
    documents = manifests(site, specification(site), name, "registry/eugenie:1", state, "the-secret")
    return {document["kind"]: document for document in yaml.safe_load_all(yaml.safe_dump_all(documents))}


def test_the_deployment_runs_the_job_of_the_image_on_the_mounted_specification(site_of, tmp_path):
    documents = rendered(site_of(stream={"parallelism": 2}))
    deployment = documents["FlinkDeployment"]
    assert deployment["apiVersion"] == "flink.apache.org/v1beta1"
    spec = deployment["spec"]
    assert spec.keys() == {
        "image", "flinkVersion", "serviceAccount", "flinkConfiguration", "jobManager", "taskManager", "podTemplate",
        "job",
    }  # fmt: skip
    assert spec["image"] == "registry/eugenie:1"
    assert spec["flinkVersion"] == "v" + "_".join(flink_version().split(".")[:2])
    job = spec["job"]
    assert (job["parallelism"], job["upgradeMode"], job["state"]) == (2, "savepoint", "running")
    assert job["entryClass"].endswith(".PythonDriver") and job["jarURI"].startswith("local:///opt/flink/opt/")
    assert all(isinstance(value, str) for value in spec["flinkConfiguration"].values())

    text = documents["ConfigMap"]["data"]["job.json"]
    (container,) = spec["podTemplate"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert job["args"][-1] == f"{mounts['site']}/job.json"
    (tmp_path / "job.json").write_text(text)
    loaded = JobSpec.load(tmp_path / "job.json")
    assert (loaded.site, loaded.model_server, loaded.start) == ("plant", "models:8500", "auto")


def test_a_changed_site_file_changes_the_deployment_and_not_only_what_it_mounts(site_of):
    before, again, after = (
        rendered(site_of(**sections))["FlinkDeployment"]["spec"]
        for sections in ({}, {}, {"stream": {"max_ahead": "2h"}})
    )
    assert before == again != after


def test_no_document_needs_anchors_of_another(site_of):
    site = site_of(**SECURE)
    assert "&id" not in yaml.safe_dump_all(manifests(site, specification(site), "n", "i", None, "s"))


def test_pods_are_unprivileged(site_of):
    pod = rendered(site_of())["FlinkDeployment"]["spec"]["podTemplate"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    (container,) = pod["containers"]
    assert container["name"] == "flink-main-container"  # the operator merges only the container with this name
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_every_mount_has_its_volume_and_every_volume_its_source(site_of):
    for site in (site_of(), site_of(**SECURE)):
        documents = rendered(site)
        pod = documents["FlinkDeployment"]["spec"]["podTemplate"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == set(volumes)
        assert volumes["site"]["configMap"]["name"] == documents["ConfigMap"]["metadata"]["name"]
        claim = documents["PersistentVolumeClaim"]["metadata"]["name"]
        assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim


def test_state_elsewhere_needs_no_claim(site_of):
    documents = rendered(site_of(), state="s3://plant/flink/")
    assert set(documents) == {"ConfigMap", "FlinkDeployment"}
    configuration = documents["FlinkDeployment"]["spec"]["flinkConfiguration"]
    assert configuration["execution.checkpointing.dir"] == "s3://plant/flink/checkpoints"
    assert configuration["execution.checkpointing.savepoint-dir"] == "s3://plant/flink/savepoints"
    volumes = documents["FlinkDeployment"]["spec"]["podTemplate"]["spec"]["volumes"]
    assert [volume["name"] for volume in volumes] == ["site"]


def test_a_password_is_a_mounted_secret_and_need_not_be_known_here(site_of):
    documents = rendered(site_of(**SECURE))
    volumes = documents["FlinkDeployment"]["spec"]["podTemplate"]["spec"]["volumes"]
    (secret,) = (volume["secret"] for volume in volumes if volume["name"] == "kafka")
    assert secret["secretName"] == "the-secret"
    assert [item["key"] for item in secret["items"]] == ["password", "ca.pem"]
    properties = json.loads(documents["ConfigMap"]["data"]["job.json"])["kafka"]["properties"]
    assert 'password="${mounted:/opt/eugenie/kafka:password}"' in properties["sasl.jaas.config"]
    assert properties["config.providers"] == "mounted"
    assert properties["ssl.truststore.location"] == "/opt/eugenie/kafka/ca.pem"


def test_a_password_in_the_site_file_is_not_rendered(site_of):
    security = {**SECURITY, "password": "tiger-in-the-file"}
    documents = rendered(site_of(kafka={"bootstrap": "broker:9093", "security": security}))
    assert "tiger-in-the-file" not in yaml.safe_dump(documents)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"kafka": "embedded"}, "Kafka of plant runs only on this machine"),
        ({"serving": {}}, "the model server of plant runs only on this machine"),
    ],
)
def test_pods_cannot_reach_engines_of_this_machine(site_of, sections, message):
    with pytest.raises(EugenieError, match=message) as raised:
        specification(site_of(**sections))
    assert raised.value.exit_code is ExitCode.REFUSED


@pytest.mark.slow
def test_a_site_that_a_configmap_cannot_hold_is_refused(site_of):
    many = {f"p-{number}": {"class": "pump"} for number in range(40_000)}
    site = site_of(assets=many)
    with pytest.raises(EugenieError, match="a ConfigMap holds 1,000,000"):
        manifests(site, specification(site), "eugenie-plant", "i", None, "s")


def test_names_are_valid_for_kubernetes_and_the_operator():
    assert site_label("demo-plant") == "eugenie-demo-plant"
    labels = {site_label(site) for site in ("Plant_A", "plant.a", "plant-a", "P" * 128)}
    assert len(labels) == 4
    for name in labels:
        assert len(name) <= 45 and name == name.lower() and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.slow
def test_the_files_of_the_image_are_those_that_the_dockerfile_copies(site_of, tmp_path, monkeypatch):
    jar = tmp_path / "connector.jar"
    jar.write_bytes(b"jar")
    monkeypatch.setattr(jars, "provide", lambda roles, folder, progress: {role: [jar] for role in roles})
    done = flink_application.render(site_of(**SECURE), tmp_path / "out")
    names = {str(Path(file).relative_to(tmp_path / "out")) for file in done.files}
    assert names == {
        "Dockerfile", "requirements.txt", "deployment.yaml", "lib/connector.jar",
        f"opt/{pyflink_program.shipped().name}", "job/job.py", "job/eugenie_job.zip",
    }  # fmt: skip
    assert {
        str(path.relative_to(tmp_path / "out"))
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and not path.name.startswith(".rendered")
    } == names
    dockerfile = (tmp_path / "out" / "Dockerfile").read_text()
    assert f"FROM flink:{flink_version()}-" in dockerfile and "@" not in dockerfile
    copied = [line.split()[1].rstrip("/") for line in dockerfile.splitlines() if line.startswith("COPY")]
    assert {name.split("/")[0] for name in names} - {"Dockerfile", "deployment.yaml"} == set(copied)
    users = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("USER")]
    assert users[-1] == "9999:9999"
    assert "kubectl create secret generic eugenie-plant-kafka --from-file=password=FILE" in done.steps[1]
    assert [shown(step) for step in done.steps] == list(done.steps), "commands to be typed must be printed unchanged"


@pytest.mark.slow
def test_a_rendering_leaves_files_of_others_and_edited_ones_alone(site_of, tmp_path, monkeypatch):
    jar = tmp_path / "connector.jar"
    jar.write_bytes(b"jar")
    monkeypatch.setattr(jars, "provide", lambda roles, folder, progress: {role: [jar] for role in roles})
    out = tmp_path / "out"
    for name in ("job/theirs.py", "lib/their.jar", "notes.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("theirs")
    for _ in range(2):  # its own files are no obstacle
        flink_application.render(site_of(**SECURE), out)
    for name in ("job/theirs.py", "lib/their.jar", "notes.txt"):
        assert (out / name).read_text() == "theirs"

    for name in ("Dockerfile", "job/job.py", "deployment.yaml"):
        before = (out / name).read_bytes()
        (out / name).write_text("mine")
        with pytest.raises(EugenieError, match=f"{name}: not written by this command, or changed since") as refused:
            flink_application.render(site_of(**SECURE), out)
        assert refused.value.exit_code is ExitCode.REFUSED and (out / name).read_text() == "mine"
        flink_application.render(site_of(**SECURE), out, force=True)
        assert (out / name).read_bytes() == before


def test_a_folder_with_a_file_of_the_same_name_is_refused_untouched(site_of, tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "provide", lambda roles, folder, progress: {role: [] for role in roles})
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "job.py").write_text("my own job")
    with pytest.raises(EugenieError, match=r"job/job\.py: not written by this command"):
        flink_application.render(site_of(**SECURE), tmp_path)
    assert (tmp_path / "job" / "job.py").read_text() == "my own job"
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["job"]


FULL = "free space there, raise the limit on the size of files (ulimit -f), or "


@pytest.mark.parametrize(
    ("broken", "number", "reason", "hint"),
    [
        ("file", errno.EFBIG, "cannot write to {0}/out: File too large", f"{FULL}choose another folder"),
        ("file", errno.EACCES, "cannot write to {0}/out: Permission denied", "choose another folder"),
        ("jars", errno.ENOSPC, "cannot write to {0}/cache: No space", f"{FULL}set EUGENIE_CACHE to another folder"),
        ("own jars", errno.EACCES, "cannot read the jars in {0}/own: Perm", "let the user that runs eugenie read them"),
        ("program", errno.EROFS, "cannot write to {0}/cache: Read-only", "set EUGENIE_CACHE to another folder"),
        ("job", errno.EDQUOT, "cannot write to {0}/tmp: Disk quota", f"{FULL}set TMPDIR to another folder"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_with_the_next_step(
    site_of, tmp_path, monkeypatch, broken, number, reason, hint
):
    jar = tmp_path / "connector.jar"
    jar.write_bytes(b"jar")

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setenv("EUGENIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EUGENIE_JARS", str(tmp_path / "own") if broken == "own jars" else "")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(jars, "provide", fails if "jars" in broken else lambda *_: {"flink": [jar]})
    monkeypatch.setattr(pyflink_program, "patched", fails if broken == "program" else lambda: jar)
    if broken == "file":
        monkeypatch.setattr(output, "write_atomically", fails)
    if broken == "job":
        monkeypatch.setattr(package, "write", fails)
    with pytest.raises(EugenieError) as raised:
        flink_application.render(site_of(**SECURE), tmp_path / "out")
    assert raised.value.reason.startswith(reason.format(tmp_path)) and raised.value.hint == hint
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_is_an_error_and_no_traceback(tmp_path):
    """As with `ulimit -f`."""
    (tmp_path / "connector.jar").write_bytes(bytes(1 << 20))
    code = f"""
import resource, sys
from pathlib import Path
from eugenie_cli.deploy.output import write_files
from eugenie_cli.errors import EugenieError
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))
try:
    write_files(Path({str(tmp_path / "out")!r}), "stream", {{"lib/a.jar": Path("connector.jar").read_bytes()}})
except EugenieError as error:
    print(error.reason, error.hint, sep="; ")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write to {tmp_path}/out: File too large; {FULL}choose another folder\n"
    left = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.tmp")]
    assert left == []


def test_certificates_of_the_model_server_are_a_mounted_secret(site_of, tmp_path):
    tls = {"ca": "ca.pem", "client_certificate": "caller.pem", "client_key": "caller.key"}
    site = site_of(serving={"address": "models:8500", "tls": tls})
    documents = rendered(site)
    pod = documents["FlinkDeployment"]["spec"]["podTemplate"]["spec"]
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "model-server")
    assert volume["secret"]["secretName"] == "eugenie-plant-model-server"
    files = {item["path"] for item in volume["secret"]["items"]}
    assert files == {"ca.pem", "certificate.pem", "key.pem"}
    mounts = pod["containers"][0]["volumeMounts"]
    (path,) = (mount["mountPath"] for mount in mounts if mount["name"] == "model-server")
    (tmp_path / "job.json").write_text(documents["ConfigMap"]["data"]["job.json"])
    credentials = JobSpec.load(tmp_path / "job.json").model_server_tls
    assert credentials is not None
    assert {credentials.ca, credentials.certificate, credentials.key} == {f"{path}/{file}" for file in files}
    (step,) = (step for step in flink_application._steps(site, tmp_path, "image", "kafka") if "model-server" in step)
    assert "--from-file=key.pem=FILE" in step

    with_ca_only = rendered(site_of(serving={"address": "models:8500", "tls": {"ca": "ca.pem"}}))
    assert json.loads(with_ca_only["ConfigMap"]["data"]["job.json"])["model_server_tls"] == {
        "ca": "/opt/eugenie/model-server/ca.pem", "certificate": None, "key": None,
    }  # fmt: skip
