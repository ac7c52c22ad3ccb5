"""One loaded version of a model: a warmed SavedModel, its signatures, and a count of the requests that use it."""

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
    """A version that serves. `in_flight` is used on the event loop only."""

    def __init__(self, name: str, version: int, directory: Path) -> None:
        """Load `directory`. Raises TensorFlow's error if it is not a SavedModel that can run."""
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
        """Run a signature on arrays, from any thread. Raises Refusal with TensorFlow's code and message."""
        try:
            tensors = {name: tf.constant(array) for name, array in inputs.items()}
            outputs = self._loaded.signatures[signature](**tensors)
            return {name: output.numpy() for name, output in outputs.items()}
        except tf.errors.OpError as error:
            raise from_number(error.error_code, error.message) from error
        except (TypeError, ValueError) as error:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error

    def windows_per_item(self, inputs: Mapping[str, np.ndarray]) -> int:
        """Windows of one batch item with a segment of L rows; 1 for models of other kinds."""
        rows = inputs.get("rows")
        if self._window is None or rows is None or rows.ndim != 3:
            return 1
        return max(1, rows.shape[1] - self._window + 1)

    def window_of(self, signature: str) -> int | None:
        """M if the outputs have one row per window of `rows`, so that a segment may be split; otherwise None."""
        return self._window if signature == DEFAULT_SIGNATURE else None

    def warm_up(self, directory: Path) -> None:
        """Run the version's warm-up requests, so that the first caller does not wait. Raises like `run`."""
        for request in warm_up.read(directory):
            signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
            self.run(signature, {name: tensors.decode(proto) for name, proto in request.inputs.items()})

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Count a request as in flight; `on_idle` is called when the last one ends."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.in_flight == 0 and self.on_idle is not None:
                self.on_idle()


def load(name: str, version: int, directory: Path) -> Servable:
    """Check, load and warm a version. Raises Refusal for damaged files or a model that does not fit its folder."""
    damaged = checksums.problems(directory)
    if damaged:
        raise wrong("; ".join(damaged))
    servable = Servable(name, version, directory)
    servable.warm_up(directory)
    return servable


def _definitions(directory: Path) -> dict[str, serving_pb2.SignatureDef]:
    """The SignatureDefs of the serving graph, including fields that our messages do not define."""
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
    """A model of eugenie must belong to the class that it is served as, and have the signature that callers expect."""
    if info.class_name != name:
        raise wrong(f"it is a model of the class {info.class_name}, but its folder is for the class {name}")
    spec = signatures.get(DEFAULT_SIGNATURE)
    if spec is None:
        raise wrong(
            f"it has no signature {DEFAULT_SIGNATURE}; its signatures: {', '.join(sorted(signatures)) or 'none'}"
        )
    shapes = {"asset": (-1,), "rows": (-1, -1, len(info.sensors))}
    inputs = {key: tensor.shape for key, tensor in spec.inputs.items()}
    if inputs != shapes:
        raise wrong(f"{DEFAULT_SIGNATURE} takes {inputs}, but the model's manifest requires {shapes}")
    missing = [output for output in OUTPUTS if output not in spec.outputs]
    if missing:
        raise wrong(f"{DEFAULT_SIGNATURE} has no output {', '.join(missing)}")
