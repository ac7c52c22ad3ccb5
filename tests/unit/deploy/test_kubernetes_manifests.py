"""The effect of the manifests in a cluster: pods start, end gracefully, have few rights and few clients."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from support.rendered_sites import request_of, site_of

from eugenie_cli.deploy import kubernetes
from eugenie_cli.deploy.flink_deployment import manifests as stream_manifests
from eugenie_cli.deploy.flink_specification import specification
from eugenie_cli.deploy.request import Request
from eugenie_cli.serving.server_config import METRICS_PATH

S3 = {"models": "s3://bucket/path"}
STORES = {"folder": {}, "gs": {"models": "gs://bucket"}, "s3": S3}
stores = pytest.mark.parametrize("serving", STORES.values(), ids=STORES)


def rendered(request: Request) -> dict[str, Any]:
    """Resources by kind and by kind/name."""
    (document,) = kubernetes.documents(request)
    resources: dict[str, Any] = {}
    for resource in yaml.safe_load_all(document.text):
        resources[resource["kind"]] = resource
        resources[f"{resource['kind']}/{resource['metadata']['name']}"] = resource
    return resources


def pod_of(request: Request) -> dict[str, Any]:
    return rendered(request)["Deployment"]["spec"]["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.mark.slow
@stores
@pytest.mark.parametrize("secret", [None, "store-keys"])
def test_every_mount_has_its_volume_and_every_volume_its_source(serving, secret):
    resources = rendered(request_of(serving, secret=secret))
    pod = resources["Deployment"]["spec"]["template"]["spec"]
    mounted = {mount["name"] for container in containers(pod) for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    for volume in pod["volumes"]:
        if "configMap" in volume:
            assert f"ConfigMap/{volume['configMap']['name']}" in resources
        if "persistentVolumeClaim" in volume:
            assert f"PersistentVolumeClaim/{volume['persistentVolumeClaim']['claimName']}" in resources
        if "secret" in volume:
            assert volume["secret"]["secretName"] == secret
    for container in containers(pod):
        for source in container.get("envFrom", []):
            assert "secretRef" in source or f"ConfigMap/{source['configMapRef']['name']}" in resources


@stores
def test_pods_have_few_rights(serving):
    pod = pod_of(request_of(serving, secret="store-keys"))
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(pod):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= container["resources"].keys()
    server = pod["containers"][0]
    writable = [mount["mountPath"] for mount in server["volumeMounts"] if not mount.get("readOnly")]
    assert writable == ["/tmp"]


def test_a_new_release_starts_before_the_old_one_stops():
    spec = rendered(request_of())["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in spec  # the autoscaler's
    pod = spec["template"]["spec"]
    (server,) = pod["containers"]
    drained = int(server["lifecycle"]["preStop"]["exec"]["command"][1])
    assert 0 < drained < pod["terminationGracePeriodSeconds"]
    startup = server["startupProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] < spec["progressDeadlineSeconds"]


@pytest.mark.parametrize("serving", [{}, {"rest_port": 0}])
def test_probes_and_metrics_use_the_servers_rest_port(serving):
    template = rendered(request_of(serving))["Deployment"]["spec"]["template"]
    (server,) = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in server["ports"]}
    assert f"--rest_api_port={ports['rest']}" in server["args"] and f"--port={ports['grpc']}" in server["args"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"] == {"path": METRICS_PATH, "port": "rest"}
    annotations = template["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["rest"])
    assert annotations["prometheus.io/path"] == METRICS_PATH


@pytest.mark.slow
def test_a_changed_model_list_restarts_no_pod_but_other_changes_do():
    all_models = request_of()
    fewer = Request(all_models.site, all_models.store, all_models.models[1:], all_models.exported, all_models.options)
    batching = request_of({"batching": {"max_batch": 64}}), request_of({"batching": {"max_batch": 32}})

    def template(request):
        return rendered(request)["Deployment"]["spec"]["template"]

    assert template(all_models) == template(fewer)
    assert rendered(all_models)["ConfigMap"] != rendered(fewer)["ConfigMap"]
    assert template(batching[0]) != template(batching[1])


def test_requests_are_batched_only_if_the_site_file_says_so():
    arguments = pod_of(request_of())["containers"][0]["args"]
    assert not any("batching" in argument for argument in arguments)
    arguments = pod_of(request_of({"batching": {}}))["containers"][0]["args"]
    assert "--enable_batching=true" in arguments


def test_gpus_are_requested_by_number():
    server = pod_of(request_of({"gpus": 2, "memory_fraction": 0.25}))["containers"][0]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert "--per_process_gpu_memory_fraction=0.25" in server["args"]
    assert server["image"].endswith("-gpu")
    plain = pod_of(request_of({"memory_fraction": 0.25}))["containers"][0]
    assert "nvidia.com/gpu" not in plain["resources"]["limits"]
    assert not any("gpu" in text for text in [plain["image"], *plain["args"]])


def test_the_site_files_image_is_used_unchanged():
    image = "registry.plant/serving@sha256:" + "0" * 64
    assert pod_of(request_of({"image": image, "gpus": 1}))["containers"][0]["image"] == image


def test_only_the_stream_job_and_prometheus_reach_the_servers(monkeypatch):
    site = site_of({"address": "models:8500"})
    site = site.model_copy(update={"kafka": site.kafka.model_copy(update={"bootstrap": "broker:9092"})})
    spec = specification(site)
    deployment = stream_manifests(site, spec, "eugenie-plant", "image", None, "secret")[-1]

    policy = rendered(request_of(stream_namespace="streams"))["NetworkPolicy"]["spec"]
    stream, prometheus = policy["ingress"]
    (caller,) = stream["from"]
    # Flink's operator labels the pods of a FlinkDeployment by its name
    assert caller["podSelector"]["matchLabels"] == {"app": deployment["metadata"]["name"], "component": "taskmanager"}
    assert caller["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "streams"}
    assert [port["port"] for port in stream["ports"]] == ["grpc"]
    assert [port["port"] for port in prometheus["ports"]] == ["rest"]
    assert prometheus["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == "monitoring"


def test_a_server_with_a_volume_has_no_egress_and_others_reach_their_store():
    assert rendered(request_of())["NetworkPolicy"]["spec"]["egress"] == []
    ports = [
        port["port"] for rule in rendered(request_of(S3))["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]
    ]
    assert ports == [53, 53, 443, 80]


def test_tensorflow_serving_reads_google_storage_itself_and_copies_of_other_stores():
    google = rendered(request_of({"models": "gs://bucket/a"}, secret="keys"))
    pod = google["Deployment"]["spec"]["template"]["spec"]
    assert 'base_path: "gs://bucket/a/pump"' in google["ConfigMap"]["data"]["models.config"]
    assert len(containers(pod)) == 1
    (environment,) = pod["containers"][0]["env"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert environment["value"] == f"{mounts['credentials']}/credentials.json"

    amazon = pod_of(request_of(S3, secret="keys"))
    first_copy, server, sync = containers(amazon)
    assert [first_copy["command"][-1], sync["command"][-1]] == ["0", "30"]
    assert first_copy["envFrom"][-1] == {"secretRef": {"name": "keys"}}  # the last source takes precedence
    copied = {mount["name"]: mount["mountPath"] for mount in first_copy["volumeMounts"]}
    assert copied["models"] == {mount["name"]: mount["mountPath"] for mount in server["volumeMounts"]}["models"]


@stores
def test_no_manifest_contains_a_secret(serving):
    (document,) = kubernetes.documents(request_of(serving, secret="store-keys"))
    assert "kind: Secret" not in document.text
    assert not re.search(r"(?i)(password|access_key_id|secret_access_key|sas_url|account_key)\s*[:=]", document.text)
