"""Schemas for rendered manifests; unknown fields are refused.

For Kubernetes' own kinds and Compose files: the published schemas, from packages that contain them. For KServe's and
Seldon's kinds: the fields used here, as in their custom resource definitions (KServe 0.16, Seldon Core 2.9).
"""

from __future__ import annotations

from typing import Any

import jsonschema
import kubernetes_validate
from check_jsonschema.builtin_schemas import get_builtin_schema

KUBERNETES = ("1.30", "1.35")
"""The oldest release in which all rendered kinds are stable, and one of the newest."""

QUANTITY = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": (
        r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
    ),
}
INT32 = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
# the metadata of every Kubernetes object: its name, and labels and annotations of text
METADATA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
        "labels": {
            "type": "object",
            "additionalProperties": {
                "type": "string",
                "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
                "maxLength": 63,
            },
        },
        "annotations": {"type": "object", "additionalProperties": TEXT},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def record(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    """An object with only these fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": required or [],
        "additionalProperties": False,
    }


RESOURCES = record(
    requests={"type": "object", "additionalProperties": QUANTITY},
    limits={"type": "object", "additionalProperties": QUANTITY},
)


def resource(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The schema of a custom resource."""
    return record(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": version},
        kind={"const": kind},
        metadata=METADATA,
        spec=spec,
    )


INFERENCE_SERVICE = resource(
    "serving.kserve.io/v1beta1",
    "InferenceService",
    record(
        ["predictor"],
        predictor=record(
            canaryTrafficPercent={"type": "integer"},
            minReplicas=INT32,
            maxReplicas=INT32,
            serviceAccountName=TEXT,
            storageUris={
                "type": "array",
                "minItems": 1,
                "items": record(
                    ["uri"],
                    uri={"type": "string", "minLength": 1},
                    mountPath={"type": "string", "pattern": "^/.*", "maxLength": 255},
                ),
            },
            model=record(
                ["modelFormat"],
                modelFormat=record(["name"], name=TEXT, version=TEXT),
                runtime=TEXT,
                protocolVersion=TEXT,
                image=TEXT,
                args=TEXTS,
                ports={
                    "type": "array",
                    "items": record(["containerPort"], containerPort=INT32, name=TEXT, protocol=TEXT),
                },
                resources=RESOURCES,
            ),
        ),
    ),
)
SERVER = resource(
    "mlops.seldon.io/v1alpha1",
    "Server",
    record(
        ["serverConfig"],
        serverConfig=TEXT,
        extraCapabilities=TEXTS,
        replicas=INT32,
        podSpec=record(containers={"type": "array", "items": record(["name"], name=TEXT, resources=RESOURCES)}),
    ),
)
MODEL = resource(
    "mlops.seldon.io/v1alpha1",
    "Model",
    record(
        ["storageUri"],
        storageUri=TEXT,
        artifactVersion=INT32,
        requirements=TEXTS,
        memory=QUANTITY,
        replicas=INT32,
        secretName=TEXT,
    ),
)
EXPERIMENT = resource(
    "mlops.seldon.io/v1alpha1",
    "Experiment",
    record(
        ["candidates"],
        default=TEXT,
        candidates={"type": "array", "items": record(["name", "weight"], name=TEXT, weight=INT32)},
    ),
)
CUSTOM = {
    "InferenceService": INFERENCE_SERVICE,
    "Server": SERVER,
    "Model": MODEL,
    "Experiment": EXPERIMENT,
}


def check_resource(document: dict[str, Any]) -> None:
    """Raises an error that shows where a Kubernetes resource violates its schema."""
    if document["kind"] in CUSTOM:
        jsonschema.validate(document, CUSTOM[document["kind"]], jsonschema.Draft202012Validator)
        return
    jsonschema.validate(document["metadata"], METADATA, jsonschema.Draft202012Validator)
    for release in KUBERNETES:
        kubernetes_validate.validate(document, release, strict=True)


def check_compose(document: dict[str, Any]) -> None:
    """Raises an error that shows where a Compose file violates the Compose Specification's schema."""
    schema = get_builtin_schema("vendor.compose-spec")
    jsonschema.validators.validator_for(schema)(schema).validate(document)
