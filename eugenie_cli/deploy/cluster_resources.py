"""What stands around the pods: the service, how many there are, who may reach them and whom they may."""

from __future__ import annotations

from typing import Any

from eugenie_cli.deploy import model_server
from eugenie_cli.deploy.names import site_label
from eugenie_cli.deploy.pods import CONTAINER, selector
from eugenie_cli.deploy.request import Request

FEWEST, MOST = 2, 4
"""Replicas: one may go while its node is drained."""

BUSY_PERCENT = 70
"""Of the CPU that a server asks for; above it there are more of them."""

METADATA_ADDRESS = "169.254.169.254/32"
"""Where the clouds tell a pod who it is."""

_NAMESPACE = "kubernetes.io/metadata.name"


def service(request: Request, metadata: dict[str, Any]) -> dict[str, Any]:
    """One address for all replicas. A caller keeps its connection, and with it its replica: callers are divided."""
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
    """By the CPU of the server's container: with GPUs too it is the CPU that takes requests in."""
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
            # a plant's load does not fall for good in a moment
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
        },
    }


def disruption_budget(request: Request, metadata: dict[str, Any]) -> dict[str, Any]:
    """Nodes may be drained one after the other."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(request)}},
    }


def network_policy(request: Request, metadata: dict[str, Any]) -> dict[str, Any]:
    """In: the TaskManagers of the site's Flink job, Prometheus, and where the site file has a REST port the pods
    of the servers' own namespace. Out: names, and the store over HTTPS.

    A server whose models are on a volume calls nobody. Probes come from the node, which no policy keeps out.
    """
    options = request.options
    stream: dict[str, Any] = {
        # as Flink's own Kubernetes integration labels the pods that call the model server
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
