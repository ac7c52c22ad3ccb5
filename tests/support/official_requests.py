"""Requests of the official client, with the responses that TensorFlow Serving's sources define.

Codes and messages come from predict_util.cc, saved_model/util.cc, server_core.cc, get_model_metadata_impl.cc,
get_model_status_impl.cc and model_service_impl.cc. `words` is part of the error message; it is empty where our server's
message differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from eugenie_cli.serving import server_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.tfserving.channel import MAX_MESSAGE_BYTES
from support.small_models import ASSETS, SENSORS, WINDOW

MODEL = "mixer"
"""Small versions 1 (label `champion`) and 2 (label `challenger`)."""

REAL = "pump"
"""A model with an exported version."""

Version = int | str | None


@dataclass(frozen=True)
class Tensor:
    """`encoding`: typed (`float_val`), content (`tensor_content`), or zeros, which needs no values here."""

    dtype: str
    shape: tuple[int, ...]
    values: list[Any] = field(default_factory=list)
    encoding: str = "content"


@dataclass(frozen=True)
class Asked:
    """A call and its expected status code. `fields`: Predict's output filter, or metadata fields."""

    name: str
    code: str = "OK"
    words: str = ""
    method: str = "Predict"
    model: str | None = MODEL
    version: Version = None
    signature: str = ""
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    config: str = ""
    gzip: bool = False
    answers: int = 0
    """The version that must respond."""


def rows(batch: int = 1, length: int = WINDOW, sensors: int = SENSORS, dtype: str = "DT_FLOAT") -> Tensor:
    """Rows of quarters, which float32 sums exactly."""
    values = np.random.default_rng(batch + length).integers(-40, 40, batch * length * sensors) / 4
    return Tensor(dtype, (batch, length, sensors), values.tolist())


def assets(*names: str) -> Tensor:
    return Tensor("DT_STRING", (len(names),), list(names), "typed")


ONE = {"asset": assets(ASSETS[0]), "rows": rows()}
THREE = {"asset": assets(*ASSETS, "nobody"), "rows": rows(3, WINDOW + 4)}
HOLED = replace(rows(1, WINDOW + 2), values=[float("nan"), *rows(1, WINDOW + 2).values[1:]])
ZEROS = Tensor("DT_FLOAT", (1, WINDOW, SENSORS), [], "typed")
TOO_LARGE = Tensor("DT_FLOAT", (1, MAX_MESSAGE_BYTES // 4 // SENSORS + 1, SENSORS), [], "zeros")

PREDICTED = [
    Asked("the latest version", inputs=ONE, answers=2),
    Asked("a version by number", version=1, inputs=ONE, answers=1),
    Asked("a version by label", version="champion", inputs=ONE, answers=1),
    Asked("a signature by name", signature="serving_default", inputs=ONE, answers=2),
    Asked("a batch, longer than the window, an unknown asset", inputs=THREE, answers=2),
    Asked("NaN in, NaN out", inputs={**ONE, "rows": HOLED}, answers=2),
    Asked("two outputs of three", inputs=THREE, fields=("score", "expected"), answers=2),
    Asked("numbers in float_val", inputs={**THREE, "rows": replace(rows(3, WINDOW), encoding="typed")}, answers=2),
    Asked("one number for all", inputs={**ONE, "rows": replace(ZEROS, values=[0.25])}, answers=2),
    Asked("no number: zeros", inputs={**ONE, "rows": ZEROS}, answers=2),
    Asked("more numbers than the shape", inputs={**ONE, "rows": replace(ZEROS, values=[0.5] * 99)}, answers=2),
    Asked("text in tensor_content", inputs={**THREE, "asset": replace(THREE["asset"], encoding="content")}, answers=2),
    Asked("an empty batch", inputs={"asset": assets(), "rows": rows(0)}, answers=2),
    Asked("a compressed request", inputs=THREE, gzip=True, answers=2),
    Asked("an exported model", model=REAL, inputs={"asset": assets("pump-1"), "rows": rows(1, 41, 5)}, answers=1),
    Asked(
        "another signature of it",
        model=REAL,
        signature="forecast",
        inputs={"asset": assets("pump-1", "pump-2"), "rows": rows(2, 40, 5)},
        answers=1,
    ),
]

INVALID = "INVALID_ARGUMENT"
PREDICT_REFUSED = [
    Asked("no model spec", INVALID, "Missing ModelSpec", model=None, inputs=ONE),
    Asked("an empty name", INVALID, "ModelSpec has no name specified.", model="", inputs=ONE),
    Asked("an unknown model", "NOT_FOUND", "Servable not found for request: Latest(nope)", model="nope", inputs=ONE),
    Asked(
        "an unknown version", "NOT_FOUND", "Servable not found for request: Specific(mixer, 9)", version=9, inputs=ONE
    ),
    Asked("version 0", "NOT_FOUND", "Specific(mixer, 0)", version=0, inputs=ONE),
    Asked("an unknown label", INVALID, "Unrecognized servable version label: x", version="x", inputs=ONE),
    Asked("a label of an unknown model", INVALID, "Unrecognized servable", model="nope", version="x", inputs=ONE),
    Asked(
        "an unknown signature",
        "FAILED_PRECONDITION",
        'Serving signature key "x" not found.',
        signature="x",
        inputs=ONE,
    ),
    Asked(
        "a missing input",
        INVALID,
        "input size does not match signature: 1!=2 len({rows}) != len({asset,rows}). Sent extra: {}. "
        "Missing but required: {asset}.",
        inputs={"rows": ONE["rows"]},
    ),
    Asked("an input too many", INVALID, "Sent extra: {more}.", inputs={**ONE, "more": rows()}),
    Asked("an input of another name", INVALID, inputs={"asset": ONE["asset"], "row": rows()}),
    Asked("no inputs", INVALID, "Missing but required: {asset,rows}."),
    Asked("doubles", INVALID, "to be float but double is provided", inputs={**ONE, "rows": rows(dtype="DT_DOUBLE")}),
    Asked("a number for text", INVALID, inputs={**ONE, "asset": Tensor("DT_INT32", (1,), [1])}),
    Asked("a rank too few", INVALID, inputs={**ONE, "rows": replace(rows(), shape=(WINDOW, SENSORS))}),
    Asked("a rank too many", INVALID, inputs={**ONE, "rows": replace(rows(), shape=(1, 1, WINDOW, SENSORS))}),
    Asked("a sensor too few", INVALID, inputs={**ONE, "rows": rows(1, WINDOW, SENSORS - 1)}),
    Asked(
        "content that does not fill its shape",
        INVALID,
        "tensor parsing error: rows",
        inputs={**ONE, "rows": replace(rows(), shape=(1, WINDOW + 1, SENSORS))},
    ),
    Asked(
        "a size below zero",
        INVALID,
        "tensor parsing error: rows",
        inputs={**ONE, "rows": replace(rows(), shape=(-1, WINDOW, SENSORS))},
    ),
    Asked("rows that the graph refuses", INVALID, "too few rows", inputs={**ONE, "rows": rows(1, WINDOW - 1)}),
    Asked("batches that differ", INVALID, inputs={**ONE, "rows": rows(2)}),
    Asked(
        "an unknown output",
        INVALID,
        "output tensor alias not found in signature: x "
        "Outputs expected to be in the set {contribution,expected,score}.",
        inputs=ONE,
        fields=("score", "x"),
    ),
    Asked("an output twice", INVALID, "duplicate output tensor alias: score", inputs=ONE, fields=("score", "score")),
    Asked("a message over the limit", "RESOURCE_EXHAUSTED", inputs={**ONE, "rows": TOO_LARGE}),
    *(
        Asked(f"{method}, which no model here has", "UNIMPLEMENTED", method=method)
        for method in ("Classify", "Regress", "MultiInference")
    ),
]

_METADATA: dict[str, Any] = {"method": "GetModelMetadata", "fields": ("signature_def",)}
METADATA = [
    Asked("metadata of the latest", **_METADATA, answers=2),
    Asked("metadata by number", **_METADATA, version=1, answers=1),
    Asked("metadata by label", **_METADATA, version="challenger", answers=2),
    Asked("metadata of an exported model", **_METADATA, model=REAL, answers=1),
    Asked("metadata without a spec", INVALID, "Missing ModelSpec", **_METADATA, model=None),
    Asked("metadata of an empty name", INVALID, "ModelSpec has no name specified.", **_METADATA, model=""),
    Asked("metadata of an unknown model", "NOT_FOUND", "Servable not found", **_METADATA, model="nope"),
    Asked("metadata of an unknown version", "NOT_FOUND", "Specific(mixer, 9)", **_METADATA, version=9),
    Asked("metadata of an unknown label", INVALID, "Unrecognized servable version", **_METADATA, version="x"),
    Asked("no field", INVALID, "must specify at least one metadata_field", method="GetModelMetadata"),
    Asked("an unknown field", INVALID, method="GetModelMetadata", fields=("signature_def", "x")),
]

_STATUS: dict[str, Any] = {"method": "GetModelStatus"}
STATUS = [
    Asked("states of all versions", **_STATUS),
    Asked("state by number", **_STATUS, version=1),
    # as the REST API's documentation says; over gRPC, TensorFlow Serving responds with all versions
    Asked("state by label", **_STATUS, version="champion"),
    Asked("states without a spec", INVALID, "Missing ModelSpec", **_STATUS, model=None),
    Asked("states of an empty name", "NOT_FOUND", "Could not find any versions of model ", **_STATUS, model=""),
    Asked("states of an unknown model", "NOT_FOUND", "any versions of model nope", **_STATUS, model="nope"),
    Asked("state of an unknown version", "NOT_FOUND", "Could not find version 9 of model mixer", **_STATUS, version=9),
]
VERSIONS = {"states of all versions": [2, 1], "state by number": [1], "state by label": [1]}


def released(folder: Path, champion: int = 1) -> list[ReleasedModel]:
    """The server's models, in folders below `folder`."""
    labels = {"champion": champion, "challenger": 2}
    return [ReleasedModel(MODEL, str(folder / MODEL), (1, 2), labels), ReleasedModel(REAL, str(folder / REAL), (1,))]


def reloads(folder: Path) -> list[Asked]:
    """Configurations in order: a refused one changes nothing, and an accepted one moves a label."""
    good = server_config.model_config_text(released(folder))
    moved = server_config.model_config_text(released(folder, champion=2))
    model = f'name: "{MODEL}" base_path: "{folder / MODEL}"'
    platform = 'model_platform: "tensorflow"'

    def asked(name: str, config: str, code: str = INVALID, words: str = "") -> Asked:
        return Asked(name, code, words, method="HandleReloadConfigRequest", config=config)

    def listed(*configs: str) -> str:
        return "model_config_list { " + " ".join(f"config {{ {config} }}" for config in configs) + " }"

    twice = listed(f"{model} {platform}", f"{model} {platform}")
    label = 'version_labels { key: "champion" value: 9 }'
    return [
        asked("no configuration", "", words="Only ModelConfigList is currently supported"),
        asked("a custom configuration", "custom_model_config {}", words="Only ModelConfigList is currently supported"),
        asked("a model twice", twice, words=f"Illegal to list model {MODEL} multiple times in config list"),
        asked("a model without a platform", listed(model)),
        asked("a model of another platform", listed(f'{model} model_platform: "caffe"')),
        asked("a relative path", listed(f'name: "{MODEL}" base_path: "models" {platform}'), words="absolute path"),
        asked(
            "a label of a version that does not serve",
            listed(f"{model} {platform} {label}"),
            "FAILED_PRECONDITION",
            "Request to assign label to version 9 of model mixer, which is not currently available for inference",
        ),
        Asked("the label is where it was", version="champion", inputs=ONE, answers=1),
        asked("a label is moved", moved, "OK"),
        Asked("the label has moved", version="champion", inputs=ONE, answers=2),
        asked("a label is moved back", good, "OK"),
        Asked("the label is back", version="champion", inputs=ONE, answers=1),
    ]
