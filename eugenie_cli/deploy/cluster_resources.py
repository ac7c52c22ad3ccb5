"""The resources around the pods: service, autoscaler, disruption budget and network policy."""

from __future__ import annotations

from typing import Any

from eugenie_cli.deploy import model_server
from eugenie_cli.deploy.names import site_label
from eugenie_cli.deploy.pods import CONTAINER, selector
from eugenie_cli.deploy.request import Request

FEWEST, MOST = 2, 4
"""Replicas. At least two, so that one can be removed while its node is drained."""

BUSY_PERCENT = 70
"""Utilisation of the requested CPU above which replicas are added."""

METADATA_ADDRESS = "169.254.169.254/32"
"""The clouds' metadata service, from which a pod gets its identity."""

_NAMESPACE = "kubernetes.io/metadata.name"


def service(request: Request, metadata: dict[str, Any]) -> dict[str, Any]:
    """One address for all replicas. A client keeps its connection, so clients are balanced rather than calls."""
    serving = request.site.serving
    ports = [_port("grpc", serving.port or model_server.GRPC_PORT)]
    if request.rest:
        ports.append(_port("rest", serving.rest_port or model_server.REST_PORT))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "ClusterIP", "selector": selector(request), "ports": ports},
    }


def _port(name: str, port: int) -> dict[str, Any]:
    protocol = "kubernetes.io/h2c" if name == "grpc" else "http"
    return {"name": name, "port": port, "targetPort": name, "protocol": "TCP", "appProtocol": protocol}


def autoscaler(request: Request, metadata: dict[str, Any]) -> dict[str, Any]:
    """Scales on the CPU of the server's container, with GPUs as well, because the CPU accepts the requests."""
    target = {"type": "Utilization", "averageUtilization": BUSY_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": request.name},
            "minReplicas": FEWEST,
            "maxReplicas": MOST,
            "metrics": [
                {
                    "type": "ContainerResource",
                    "containerResource": {"name": "cpu", "container": CONTAINER, "target": target},
                }
            ],
            # a short dip of a plant's load is not permanent
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
        },
    }


def disruption_budget(request: Request, metadata: dict[str, Any]) -> dict[str, Any]:
    """Lets nodes be drained one at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(request)}},
    }


def network_policy(request: Request, metadata: dict[str, Any]) -> dict[str, Any]:
    """Ingress: the TaskManagers of the site's Flink job, Prometheus and, if the site file has a REST port, the pods of
    the servers' own namespace. Egress: DNS, and the store over HTTPS.

    A server whose models are on a volume has no egress. Probes come from the node, which policies do not block.
    """
    options = request.options
    stream: dict[str, Any] = {
        # the labels of Flink's Kubernetes integration for the pods that call the model server
        "podSelector": {"matchLabels": {"app": site_label(request.site.site), "component": "taskmanager"}}
    }
    if options.stream_namespace is not None:
        stream = {"namespaceSelector": {"matchLabels": {_NAMESPACE: options.stream_namespace}}, **stream}
    watching: list[dict[str, Any]] = [
        {"namespaceSelector": {"matchLabels": {_NAMESPACE: options.monitoring_namespace}}}
    ]
    if request.rest:
        watching.append({"podSelector": {}})
    ingress = [
        {"from": [stream], "ports": [_allowed("grpc")]},
        {"from": watching, "ports": [_allowed("rest")]},
    ]
    egress: list[dict[str, Any]] = []
    if request.store.kind != "folder":
        egress = [
            {"ports": [{"protocol": "UDP", "port": 53}, _allowed(53)]},
            {"ports": [_allowed(443)]},
            {"to": [{"ipBlock": {"cidr": METADATA_ADDRESS}}], "ports": [_allowed(80)]},
        ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": selector(request)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def _allowed(port: str | int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
