"""The FlinkDeployment of a site's stream job, for Flink's operator, with what it mounts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from eugenie_cli.deploy.flink_image import flink_version
from eugenie_cli.deploy.flink_specification import AUTHORITY, PASSWORD, ROOT, SECRET_FOLDER, TLS_FOLDER, tls_files
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.serving.tls import credentials_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.upload import DRIVER

PYTHON = f"{ROOT}/python/bin/python"
SPEC_FOLDER, STATE_FOLDER = f"{ROOT}/site", f"{ROOT}/state"

USER = 9999
"""The user of Flink's own image."""

SLOTS = 2
"""Slots of a TaskManager: each has a Python worker in addition to the JVM, and two share a JVM's memory well."""

MEMORY = {"jobManager": ("1600m", 0.5), "taskManager": ("2g", 2)}
METRICS_PORT = 9249
LARGEST_SPEC = 1_000_000
"""Bytes. A ConfigMap may have up to one mebibyte."""


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
    if tls := tls_files(credentials_of(site)):
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
