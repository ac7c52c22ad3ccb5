"""Inputs and outputs of a signature, and the check of a request against it before it joins a batch.

An invalid request must not fail the other callers of its batch, so names, types and shapes are checked here; only the
graph's own assertions are left to the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eugenie_cli.model_server.status_error import invalid, wrong
from eugenie_cli.tfserving import tensors
from eugenie_cli.tfserving.protos import serving_pb2

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Spec:
    """A tensor of a signature: its DataType, and its shape with -1 for any size (None: any shape)."""

    data_type: int
    shape: tuple[int, ...] | None

    @property
    def has_batch(self) -> bool:
        """True when the first dimension is free."""
        return bool(self.shape) and self.shape[0] == -1  # type: ignore[index]

    def fits(self, shape: tuple[int, ...]) -> bool:
        if self.shape is None:
            return True
        same_rank = len(shape) == len(self.shape)
        return same_rank and all(want in (-1, size) for want, size in zip(self.shape, shape, strict=True))


@dataclass(frozen=True)
class SignatureSpec:
    """A callable of a SavedModel."""

    name: str
    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Spec]

    @cached_property
    def batchable(self) -> bool:
        """Whether requests may be joined and split: the first dimension of every input and output is free."""
        specs = [*self.inputs.values(), *self.outputs.values()]
        return bool(self.inputs) and all(spec.has_batch for spec in specs)

    def read(self, request: serving_pb2.PredictRequest) -> dict[str, np.ndarray]:
        """The request's arrays by input name. Raises Refusal (INVALID_ARGUMENT)."""
        self.check_names(request.inputs.keys())
        shapes = {}
        for name, spec in self.inputs.items():
            proto = request.inputs[name]
            if proto.dtype != spec.data_type:
                expected, got = tensors.data_type_name(spec.data_type), tensors.data_type_name(proto.dtype)
                raise invalid(f"Expects {name} to be {expected} but {got} is provided")
            with _of_input(name):
                shapes[name] = tensors.shape_of(proto)
        self.check_shapes(shapes)  # before memory is allocated for the claimed sizes
        arrays = {}
        for name in self.inputs:
            with _of_input(name):
                arrays[name] = tensors.decode(request.inputs[name])
        return arrays

    def check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raises Refusal (INVALID_ARGUMENT) unless the shapes fit the signature and each other."""
        for name, spec in self.inputs.items():
            if not spec.fits(shapes[name]):
                raise invalid(f"shape of {name} {list(shapes[name])} is not compatible with {_show(spec.shape)}")
        if self.batchable and len({shape[0] for shape in shapes.values()}) > 1:
            sizes = ", ".join(f"{name} {shape[0]}" for name, shape in shapes.items())
            raise invalid(f"Batching input tensors must have equal 0th-dimension size: {sizes}")

    def chosen(self, output_filter: Sequence[str]) -> tuple[str, ...]:
        """Names of the outputs to return: all, or those in the filter. Raises Refusal (INVALID_ARGUMENT)."""
        seen: set[str] = set()
        for name in output_filter:
            if name not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {name} "
                    f"Outputs expected to be in the set {{{','.join(sorted(self.outputs))}}}."
                )
            if name in seen:
                raise invalid(f"duplicate output tensor alias: {name}")
            seen.add(name)
        return tuple(output_filter) or tuple(self.outputs)

    def check_names(self, names: Iterable[str]) -> None:
        """Raises Refusal (INVALID_ARGUMENT) unless these are the names of the inputs."""
        given, expected = set(names), self.inputs.keys()
        if given != expected:
            extra, missing = ",".join(sorted(given - expected)), ",".join(sorted(expected - given))
            raise invalid(
                f"input size does not match signature: {len(given)}!={len(expected)} "
                f"len({{{','.join(sorted(given))}}}) != len({{{','.join(sorted(expected))}}}). "
                f"Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
            )


@contextmanager
def _of_input(name: str) -> Iterator[None]:
    """Add the input's name to the error of an invalid tensor."""
    try:
        yield
    except tensors.TensorError as error:
        raise invalid(f"tensor parsing error: {name}: {error}") from error


def chosen(signatures: Mapping[str, SignatureSpec], name: str) -> SignatureSpec:
    """The signature of that name; the default one if the name is empty. Raises Refusal."""
    signature = signatures.get(name or DEFAULT_SIGNATURE)
    if signature is None:
        raise wrong(f'Serving signature key "{name or DEFAULT_SIGNATURE}" not found.')
    return signature


def from_definition(name: str, definition: serving_pb2.SignatureDef) -> SignatureSpec:
    """Convert a SignatureDef of a SavedModel."""
    return SignatureSpec(name, _specs(definition.inputs), _specs(definition.outputs))


def _specs(infos: Mapping[str, serving_pb2.TensorInfo]) -> dict[str, Spec]:
    return {name: Spec(info.dtype, _shape(info.tensor_shape)) for name, info in infos.items()}


def _shape(shape: object) -> tuple[int, ...] | None:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)  # type: ignore[attr-defined]


def _show(shape: tuple[int, ...] | None) -> str:
    return str([None if size == -1 else size for size in shape or ()])
