"""One loaded version of a model: a SavedModel and its signatures, warmed, and how many requests use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from eugenie_cli.model_server.signature import DEFAULT_SIGNATURE, SignatureSpec, from_definition
from eugenie_cli.model_server.status_error import Refusal, from_number, wrong
from eugenie_cli.serving import checksums, model_info, warm_up
from eugenie_cli.tfserving import tensors
from eugenie_cli.tfserving.protos import serving_pb2

SERVE_TAG = "serve"
OUTPUTS = ("score", "contribution", "expected")

_INTERNAL_SIGNATURES = frozenset({"__saved_model_init_op"})


class Servable:
    """A version that answers. `in_flight` is touched on the event loop only."""

    def __init__(self, name: str, version: int, directory: Path) -> None:
        """Load `directory`. Raises what TensorFlow raises when it is not a SavedModel that it can run."""
        self.name = name
        self.version = version
        self.definitions = _definitions(directory)
        self.signatures: Mapping[str, SignatureSpec] = {
            key: from_definition(key, definition) for key, definition in self.definitions.items()
        }
        self.in_flight = 0
        self.on_idle: Callable[[], None] | None = None
        info = model_info.read(directory) if (directory / model_info.LOCATION).exists() else None
        if info is not None:
            _check(info, name, self.signatures)
        self._window = None if info is None else info.window
        self._loaded = tf.saved_model.load(str(directory), tags=[SERVE_TAG])

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a signature on arrays, from any thread. Raises Refusal with TensorFlow's code and words."""
        try:
            tensors = {name: tf.constant(array) for name, array in inputs.items()}
            outputs = self._loaded.signatures[signature](**tensors)
            return {name: output.numpy() for name, output in outputs.items()}
        except tf.errors.OpError as error:
            raise from_number(error.error_code, error.message) from error
        except (TypeError, ValueError) as error:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error

    def windows_per_item(self, inputs: Mapping[str, np.ndarray]) -> int:
        """The work in one item of the batch: the windows in a segment of L rows; 1 for other models."""
        rows = inputs.get("rows")
        if self._window is None or rows is None or rows.ndim != 3:
            return 1
        return max(1, rows.shape[1] - self._window + 1)

    def window_of(self, signature: str) -> int | None:
        """M, where outputs have a row for each window of `rows`, so that a segment may be cut; None elsewhere."""
        return self._window if signature == DEFAULT_SIGNATURE else None

    def warm_up(self, directory: Path) -> None:
        """Run the version's warm-up requests, so that the first caller does not wait. Raises as `run` does."""
        for request in warm_up.read(directory):
            signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
            self.run(signature, {name: tensors.decode(proto) for name, proto in request.inputs.items()})

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Holds the version while a request runs: `on_idle` is called when the last one ends."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.in_flight == 0 and self.on_idle is not None:
                self.on_idle()


def load(name: str, version: int, directory: Path) -> Servable:
    """Check, load and warm a version."""
    damaged = checksums.problems(directory)
    if damaged:
        raise wrong("; ".join(damaged))
    servable = Servable(name, version, directory)
    servable.warm_up(directory)
    return servable


def _definitions(directory: Path) -> dict[str, serving_pb2.SignatureDef]:
    """The SignatureDefs of the graph that serves; fields that our messages leave out are carried along."""
    saved = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        if SERVE_TAG in graph.meta_info_def.tags:
            return {
                key: serving_pb2.SignatureDef.FromString(definition.SerializeToString())
                for key, definition in sorted(graph.signature_def.items())
                if key not in _INTERNAL_SIGNATURES
            }
    raise ValueError(f"{directory} has no graph with the tag {SERVE_TAG!r}")


def _check(info: model_info.ModelInfo, name: str, signatures: Mapping[str, SignatureSpec]) -> None:
    """A model of ours must be of the class that it is served as, and have the signature that its callers expect."""
    if info.class_name != name:
        raise wrong(f"it is a model of the class {info.class_name}, and lies where those of {name} do")
    spec = signatures.get(DEFAULT_SIGNATURE)
    if spec is None:
        raise wrong(f"it has no signature {DEFAULT_SIGNATURE}, only {', '.join(sorted(signatures)) or 'none'}")
    shapes = {"asset": (-1,), "rows": (-1, -1, len(info.sensors))}
    found = {each: tensor.shape for each, tensor in spec.inputs.items()}
    if found != shapes:
        raise wrong(f"{DEFAULT_SIGNATURE} takes {found}, and a model with its manifest takes {shapes}")
    missing = [each for each in OUTPUTS if each not in spec.outputs]
    if missing:
        raise wrong(f"{DEFAULT_SIGNATURE} does not give {', '.join(missing)}")
