"""Requests and responses of a model server. Ships to stream workers: numpy and protobuf only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.protos import serving_pb2

DEFAULT_SIGNATURE = "serving_default"

Version = int | str | None
"""The requested version of a model: its number, a label, or None for the latest."""


@dataclass(frozen=True)
class Prediction:
    """Scores of the K = L - M + 1 rows that end a full window, for each of B segments."""

    score: np.ndarray
    """float32 [B, K]; above 1 is anomalous, NaN where a row cannot be scored."""
    contribution: np.ndarray
    """float32 [B, K, S]; non-negative, sums to 1 over the sensors."""
    expected: np.ndarray
    """float32 [B, K, S]; the forecast row, in engineering units."""
    version: int
    """The model version that answered."""


@dataclass(frozen=True)
class Answer:
    """The outputs of a signature, by name, and the model version that computed them."""

    outputs: Mapping[str, np.ndarray]
    version: int


@dataclass(frozen=True)
class VersionStatus:
    """One version on the server. `state`: START, LOADING, AVAILABLE, UNLOADING or END."""

    version: int
    state: str
    error_code: int
    error_message: str


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of a tensor in a signature; None stands for any size, or for any shape."""

    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Metadata:
    """The signatures of one model version."""

    version: int
    signatures: Mapping[str, Signature]


def predict_request(
    model: str,
    assets: Sequence[str],
    rows: np.ndarray,
    version: Version = None,
    signature: str = DEFAULT_SIGNATURE,
) -> serving_pb2.PredictRequest:
    """The request that `predict` sends. Raises ValueError for invalid shapes."""
    return call_request(model, segment_inputs(assets, rows), version, signature)


def call_request(
    model: str, inputs: Mapping[str, np.ndarray], version: Version, signature: str
) -> serving_pb2.PredictRequest:
    """A Predict request to any signature."""
    request = serving_pb2.PredictRequest()
    _spec(request.model_spec, model, version).signature_name = signature
    for name, array in inputs.items():
        tensors.encode(np.asarray(array), request.inputs[name])
    return request


def segment_inputs(assets: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """The inputs of a scoring signature: B names, float32 [B, L, S]. Raises ValueError for invalid shapes."""
    values = np.asarray(rows, np.float32)
    if values.ndim != 3 or len(assets) != len(values):
        raise ValueError(f"rows must be [B, L, S] with B assets: {len(assets)} assets, rows {values.shape}")
    return {"asset": np.array([name.encode() for name in assets], object), "rows": values}


def status_request(model: str, version: Version) -> serving_pb2.GetModelStatusRequest:
    """Asks for the versions of a model, or for one."""
    request = serving_pb2.GetModelStatusRequest()
    _spec(request.model_spec, model, version)
    return request


def metadata_request(model: str, version: Version) -> serving_pb2.GetModelMetadataRequest:
    """Asks for the signatures of a version."""
    request = serving_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    _spec(request.model_spec, model, version)
    return request


def read_answer(response: serving_pb2.PredictResponse) -> Answer:
    """The outputs of a response."""
    outputs = {name: tensors.decode(proto) for name, proto in response.outputs.items()}
    return Answer(outputs, response.model_spec.version.value)


def read_prediction(answer: Answer) -> Prediction:
    """The outputs of a scoring signature. Raises ValueError if one is missing."""
    missing = {"score", "contribution", "expected"} - answer.outputs.keys()
    if missing:
        raise ValueError(f"the answer has no {', '.join(sorted(missing))}: it has {sorted(answer.outputs)}")
    outputs = answer.outputs
    return Prediction(outputs["score"], outputs["contribution"], outputs["expected"], answer.version)


def read_statuses(response: serving_pb2.GetModelStatusResponse) -> list[VersionStatus]:
    """The versions of a response, newest first."""
    states = serving_pb2.ModelVersionStatus.State
    statuses = [
        VersionStatus(entry.version, states.Name(entry.state), entry.status.error_code, entry.status.error_message)
        for entry in response.model_version_status
    ]
    return sorted(statuses, key=lambda status: -status.version)


def read_metadata(response: serving_pb2.GetModelMetadataResponse) -> Metadata:
    """The signatures of a response. Raises ValueError if it has something else."""
    packed = response.metadata["signature_def"]
    if packed.type_url != protos.SIGNATURE_DEF_MAP_URL:
        raise ValueError(f"signature_def is a {packed.type_url!r}, not {protos.SIGNATURE_DEF_MAP_URL!r}")
    definitions = serving_pb2.SignatureDefMap.FromString(packed.value).signature_def
    signatures = {
        name: Signature(_specs(definition.inputs), _specs(definition.outputs))
        for name, definition in definitions.items()
    }
    return Metadata(response.model_spec.version.value, signatures)


def _spec(spec: serving_pb2.ModelSpec, model: str, version: Version) -> serving_pb2.ModelSpec:
    spec.name = model
    if isinstance(version, str):
        spec.version_label = version
    elif version is not None:
        spec.version.value = version
    return spec


def _specs(infos: Mapping[str, serving_pb2.TensorInfo]) -> dict[str, TensorSpec]:
    return {name: TensorSpec(tensors.data_type_name(info.dtype), _shape(info)) for name, info in infos.items()}


def _shape(info: serving_pb2.TensorInfo) -> tuple[int | None, ...] | None:
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
