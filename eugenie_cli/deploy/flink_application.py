"""The stream job for Kubernetes: a FlinkDeployment for Flink's operator, and the image that it runs.

The files contain no secrets. Kafka's password is in a Kubernetes secret that is mounted as a file. The Kafka client
reads the file itself (its DirectoryConfigProvider), so the password is in no specification, argument or variable.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from eugenie_cli.deploy import output
from eugenie_cli.deploy.names import site_label
from eugenie_cli.engines import endpoints, jars, pyflink_program
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving.tls import credentials_of
from eugenie_cli.site.kafka import KafkaSecurity
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import package
from eugenie_cli.streaming.parallelism import check_partitions, check_shards
from eugenie_cli.streaming.upload import DRIVER
from eugenie_cli.tfserving.credentials import Credentials
from eugenie_cli.workspace import shipped

ROOT = "/opt/eugenie"
PYTHON = f"{ROOT}/python/bin/python"
SPEC_FOLDER, SECRET_FOLDER, STATE_FOLDER = f"{ROOT}/site", f"{ROOT}/kafka", f"{ROOT}/state"
PASSWORD, AUTHORITY = "password", "ca.pem"
"""Keys of the secret: Kafka's password, and the PEM of its certificate authority."""

TLS_FOLDER = f"{ROOT}/model-server"
TLS_FILES = {"ca": "ca.pem", "certificate": "certificate.pem", "key": "key.pem"}
"""The job's credentials for the model server -> their keys in its secret."""

USER = 9999
"""The user of Flink's own image."""

SLOTS = 2
"""Slots of a TaskManager: each has a Python worker in addition to the JVM, and two share a JVM's memory well."""

MEMORY = {"jobManager": ("1600m", 0.5), "taskManager": ("2g", 2)}
METRICS_PORT = 9249
LARGEST_SPEC = 1_000_000
"""Bytes. A ConfigMap may have up to one mebibyte."""

REQUIREMENTS = ("apache-flink", "numpy", "grpcio", "protobuf", "orjson")
"""The packages that the job imports; others are their dependencies."""

_PROVIDER = "org.apache.flink.kafka.shaded.org.apache.kafka.common.config.provider.DirectoryConfigProvider"


@dataclass(frozen=True)
class Rendered:
    """The files written, and what to do with them."""

    folder: str
    files: tuple[str, ...]
    steps: tuple[str, ...]


def render(
    site: Site,
    folder: Path,
    *,
    image: str | None = None,
    state: str | None = None,
    secret: str | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> Rendered:
    """Writes `deployment.yaml`, `Dockerfile` and the files of the image, replacing those of an earlier rendering.

    `state`: URI of the folder for checkpoints and savepoints; None for a volume claim, which is also rendered.
    `secret`: name of the Kubernetes secret with Kafka's password. `force`: overwrite other files as well.

    Raises EugenieError (REFUSED) for a site whose Kafka or model server runs only on this machine, for a topic with too
    few partitions for the parallelism, and for a file that this command did not write.
    """
    name = site_label(site.site)
    image = image or f"eugenie-stream:{metadata.version('eugenie')}"
    secret = secret or f"{name}-kafka"
    spec = specification(site)
    check_shards(spec)
    check_partitions(spec, of_site_file=True)
    documents = manifests(site, spec, name, image, state, secret)
    with tempfile.TemporaryDirectory() as staging:
        image_files = _image_files(jars.folder_of(site), spec, Path(staging), progress)
        contents = {file.relative_to(staging).as_posix(): file.read_bytes() for file in image_files}
    contents["deployment.yaml"] = yaml.safe_dump_all(documents, sort_keys=False, width=120).encode()
    written = output.write_files(folder, "stream", contents, force)
    files = tuple(file.path for file in written if file.state != "removed")
    return Rendered(str(folder), files, tuple(_steps(site, folder, image, secret)))


def specification(site: Site) -> JobSpec:
    """The job's specification, with references for the Kafka client in the place of secrets."""
    for key, is_external, engine in (
        ("kafka.bootstrap", site.kafka.bootstrap != endpoints.EMBEDDED, "Kafka"),
        ("serving.address", site.serving.address is not None, "the model server"),
    ):
        if not is_external:
            raise EugenieError(
                f"{engine} of {site.site} runs only on this machine, where pods cannot reach it",
                f"set {key} in the site file to an address within the cluster",
                ExitCode.REFUSED,
            )
    registry = site.kafka.readings.registry
    if registry is not None and (registry.password is not None or registry.ca is not None):
        raise EugenieError(
            "kafka.readings.registry: the password and certificate authority of a schema registry cannot be rendered",
            "use a registry within the cluster that needs neither",
            ExitCode.REFUSED,
        )
    security = site.kafka.security
    plain = site.model_copy(update={"kafka": site.kafka.model_copy(update={"security": KafkaSecurity()})})
    spec = package.job_spec(plain, "auto", site.kafka.partitions)
    properties = dict(spec.kafka.properties)
    if security.protocol != "PLAINTEXT":
        properties["security.protocol"] = security.protocol
    if security.ca is not None:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": f"{SECRET_FOLDER}/{AUTHORITY}"}
    if security.mechanism is not None:
        properties |= {
            "config.providers": "mounted",
            "config.providers.mounted.class": _PROVIDER,
            "config.providers.mounted.param.allowed.paths": SECRET_FOLDER,
            "sasl.mechanism": security.mechanism,
            "sasl.jaas.config": package.jaas(security, f"${{mounted:{SECRET_FOLDER}:{PASSWORD}}}"),
        }
    kafka = replace(spec.kafka, properties=properties)
    mounted = Credentials(**{part: f"{TLS_FOLDER}/{file}" for part, file in _tls_files(credentials_of(site)).items()})
    return replace(spec, kafka=kafka, model_server_tls=None if site.serving.tls is None else mounted)


def _tls_files(credentials: Credentials | None) -> dict[str, str]:
    """Part of the credentials -> file in the pods, for the parts that the site file sets."""
    if credentials is None:
        return {}
    return {part: file for part, file in TLS_FILES.items() if getattr(credentials, part) is not None}


def manifests(site: Site, spec: JobSpec, name: str, image: str, state: str | None, secret: str) -> list[dict[str, Any]]:
    """The site's ConfigMap, the volume claim if needed, and the FlinkDeployment."""
    text = json.dumps(asdict(spec), ensure_ascii=False)
    if len(text.encode()) > LARGEST_SPEC:
        raise EugenieError(
            f"the specification of {len(spec.assets)} assets has {len(text.encode()):,} bytes, but a ConfigMap holds"
            f" {LARGEST_SPEC:,}",
            "divide the site into several sites with their own topics",
            ExitCode.REFUSED,
        )

    def metadata_of(resource: str) -> dict[str, Any]:
        return {
            "name": resource,
            "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "eugenie"},
        }

    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata_of(f"{name}-state"),
        # the JobManager and every TaskManager write to it
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    site_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(f"{name}-site"),
        "data": {"job.json": text},
    }
    deployment = {
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": metadata_of(name),
        "spec": {
            "image": image,
            "flinkVersion": "v" + "_".join(flink_version().split(".")[:2]),
            "serviceAccount": "flink",
            "flinkConfiguration": _configuration(state or f"file://{STATE_FOLDER}", spec),
            **{part: {"resource": {"memory": memory, "cpu": cpu}} for part, (memory, cpu) in MEMORY.items()},
            "podTemplate": {
                "apiVersion": "v1",
                "kind": "Pod",
                # a change of the ConfigMap alone would not restart the pods
                "metadata": {"annotations": {"eugenie/site": hashlib.sha256(text.encode()).hexdigest()}},
                "spec": _pod(site, name, state is None, secret),
            },
            "job": _job(spec),
        },
    }
    return [site_map, *([claim] if state is None else []), deployment]


def flink_version() -> str:
    """The version of the installed `apache-flink`, which the cluster must match."""
    return metadata.version("apache-flink")


def _job(spec: JobSpec) -> dict[str, Any]:
    return {
        "jarURI": f"local:///opt/flink/opt/flink-python-{flink_version()}.jar",
        "entryClass": DRIVER,
        "args": [
            *("-py", f"{ROOT}/job/job.py", "-pyfs", f"{ROOT}/job/eugenie_job.zip"),
            *("-pyexec", PYTHON, "-pyclientexec", PYTHON, f"{SPEC_FOLDER}/job.json"),
        ],
        "parallelism": spec.parallelism,
        "upgradeMode": "savepoint",
        "allowNonRestoredState": False,
        "state": "running",
    }


def _configuration(state: str, spec: JobSpec) -> dict[str, str]:
    root = state.rstrip("/")
    return {
        "taskmanager.numberOfTaskSlots": str(SLOTS),
        "execution.checkpointing.dir": spec.checkpoints or f"{root}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"{root}/savepoints",
        # so that a replaced JobManager finds its job's last checkpoint
        "high-availability.type": "kubernetes",
        "high-availability.storageDir": f"{root}/ha",
        "python.executable": PYTHON,
        "python.client.executable": PYTHON,
        "metrics.reporters": "prom",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": str(METRICS_PORT),
    }


def _pod(site: Site, name: str, with_claim: bool, secret: str) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [{"name": "site", "configMap": {"name": f"{name}-site"}}]
    mounts: list[dict[str, Any]] = [{"name": "site", "mountPath": SPEC_FOLDER, "readOnly": True}]
    security = site.kafka.security
    items = [PASSWORD] * (security.mechanism is not None) + [AUTHORITY] * (security.ca is not None)
    if items:
        files = [{"key": key, "path": key} for key in items]
        volumes.append({"name": "kafka", "secret": _mounted(secret, files)})
        mounts.append({"name": "kafka", "mountPath": SECRET_FOLDER, "readOnly": True})
    if tls := _tls_files(credentials_of(site)):
        files = [{"key": file, "path": file} for file in tls.values()]
        volumes.append({"name": "model-server", "secret": _mounted(f"{name}-model-server", files)})
        mounts.append({"name": "model-server", "mountPath": TLS_FOLDER, "readOnly": True})
    if with_claim:
        volumes.append({"name": "state", "persistentVolumeClaim": {"claimName": f"{name}-state"}})
        mounts.append({"name": "state", "mountPath": STATE_FOLDER})
    return {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "flink-main-container",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _mounted(secret: str, files: list[dict[str, str]]) -> dict[str, Any]:
    # group-readable, because root owns the files and the job does not run as root
    return {"secretName": secret, "defaultMode": 0o440, "items": files}


def _image_files(jar_folder: Path | None, spec: JobSpec, folder: Path, progress: Progress) -> list[Path]:
    job = package.write(spec, folder / "job")
    job.spec.unlink()  # it is in the ConfigMap
    dockerfile, requirements, lib = (folder / name for name in ("Dockerfile", "requirements.txt", "lib"))
    template = (shipped("templates") / "kubernetes" / "Dockerfile").read_text(encoding="utf-8")
    dockerfile.write_text(template.replace("@FLINK@", flink_version()), encoding="utf-8")
    pins = [f"{package_name}=={metadata.version(package_name)}" for package_name in REQUIREMENTS]
    requirements.write_text("\n".join(pins) + "\n", encoding="utf-8")
    lib.mkdir(parents=True, exist_ok=True)
    connectors = jars.provide(["flink"], jar_folder, progress)["flink"]
    copies = [Path(shutil.copyfile(jar, lib / jar.name)) for jar in connectors]
    opt = folder / "opt"
    opt.mkdir(exist_ok=True)
    copies.append(Path(shutil.copyfile(pyflink_program.on_loopback(), opt / pyflink_program.shipped().name)))
    return [dockerfile, requirements, *copies, job.entry, job.code]


def _steps(site: Site, folder: Path, image: str, secret: str) -> list[str]:
    steps = [f"docker build --tag {image} {folder}, and push the image to the cluster's registry"]
    security = site.kafka.security
    keys = [f"--from-file={PASSWORD}=FILE"] * (security.mechanism is not None)
    keys += [f"--from-file={AUTHORITY}=FILE"] * (security.ca is not None)
    if keys:
        steps.append(f"kubectl create secret generic {secret} {' '.join(keys)}")
    if tls := _tls_files(credentials_of(site)):
        keys = [f"--from-file={file}=FILE" for file in tls.values()]
        steps.append(f"kubectl create secret generic {site_label(site.site)}-model-server {' '.join(keys)}")
    steps.append(f"kubectl apply --filename {folder / 'deployment.yaml'}")
    return steps
