"""The JSON of predict requests and responses, by rows ("instances") or by columns ("inputs"). Pure functions."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eugenie_cli.model_server.signature import SignatureSpec, Spec, chosen
from eugenie_cli.model_server.status_error import invalid
from eugenie_cli.tfserving import tensors

Signatures = Mapping[str, SignatureSpec]

BASE64 = "b64"
"""An object with only this key holds bytes; a string stands for its UTF-8 bytes."""


@dataclass(frozen=True)
class Asked:
    """A parsed request. `values`: a list of rows, or the columns; each is a value, or an object by input name."""

    signature: str
    values: Any
    by_rows: bool

    def inputs(self, spec: SignatureSpec) -> dict[str, np.ndarray]:
        """Arrays by input name, checked against the signature. Raises Refusal (INVALID_ARGUMENT)."""
        columns = self._columns(spec)
        spec.check_names(columns)
        arrays = {name: _array(name, columns[name], tensor) for name, tensor in spec.inputs.items()}
        spec.check_shapes({name: array.shape for name, array in arrays.items()})
        return arrays

    def _columns(self, spec: SignatureSpec) -> dict[str, Any]:
        names = set(spec.inputs)
        if not self.by_rows:
            named = isinstance(self.values, dict) and BASE64 not in self.values
            return self.values if named else {next(iter(names)): self.values} if len(names) == 1 else {}
        if not isinstance(self.values, list) or not self.values:
            raise invalid("'instances' must be a list with at least one row")
        if not all(isinstance(row, dict) and BASE64 not in row for row in self.values):
            if len(names) != 1:
                raise invalid(f"each of 'instances' must be an object with {', '.join(sorted(names))}")
            return {next(iter(names)): self.values}
        given = set(self.values[0])
        if any(set(row) != given for row in self.values):
            raise invalid("every row of 'instances' must have the same inputs")
        return {name: [row[name] for row in self.values] for name in given}


@dataclass(frozen=True)
class Read:
    """A request that matches a signature. `by_rows`: the format of the response."""

    signature: str
    inputs: Mapping[str, np.ndarray]
    by_rows: bool


def read(body: bytes, signatures: Signatures) -> Read:
    """Parse a request's body against a model's signatures. Raises Refusal."""
    request = parse(body)
    spec = chosen(signatures, request.signature)
    return Read(spec.name, request.inputs(spec), request.by_rows)


def write(by_rows: bool, outputs: Mapping[str, np.ndarray]) -> bytes:
    """The response in the format of the request. Raises Refusal if the outputs cannot be split into rows."""
    return json.dumps(_answer(by_rows, outputs), ensure_ascii=False).encode()


def _answer(by_rows: bool, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    columns = {name: _plain(array) for name, array in outputs.items()}
    single = next(iter(columns.values())) if len(columns) == 1 else None
    if not by_rows:
        return {"outputs": columns if single is None else single}
    if any(array.ndim == 0 for array in outputs.values()) or len({len(array) for array in outputs.values()}) != 1:
        raise invalid("the outputs have no common batch dimension: send 'inputs' instead of 'instances'")
    if single is not None:
        return {"predictions": single}
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def parse(body: bytes) -> Asked:
    """Parse a request's body. Raises Refusal (INVALID_ARGUMENT) with the JSON error's position, or what is missing."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:  # also raised for a number with thousands of digits
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid("the request must be a JSON object")
    signature = document.get("signature_name", "")
    if not isinstance(signature, str):
        raise invalid("'signature_name' must be text")
    if ("instances" in document) == ("inputs" in document):
        raise invalid("the request must have either 'instances' or 'inputs'")
    by_rows = "instances" in document
    return Asked(signature, document["instances" if by_rows else "inputs"], by_rows)


def _array(name: str, value: Any, spec: Spec) -> np.ndarray:
    dtype = tensors.numpy_type(spec.data_type)
    try:
        if dtype.kind == "O":
            return _texts(value)
        array = np.array(value)
        if array.dtype.kind not in "bif" or (array.dtype.kind == "f" and dtype.kind in "iu"):
            raise ValueError("its values are not all numbers of that type, or its rows differ in length")
        return array.astype(dtype)
    except (ValueError, TypeError, OverflowError) as error:
        expected = tensors.data_type_name(spec.data_type)
        raise invalid(f"Failed to process element: {name} must be {expected}: {error}") from error


def _texts(value: Any) -> np.ndarray:
    def read(element: Any) -> Any:
        if isinstance(element, list):
            return [read(item) for item in element]
        if isinstance(element, str):
            return element.encode()
        if isinstance(element, dict) and set(element) == {BASE64} and isinstance(element[BASE64], str):
            try:
                return base64.b64decode(element[BASE64], validate=True)
            except binascii.Error as error:
                raise ValueError(f"{BASE64}: {error}") from error
        raise ValueError(f"{element!r} is not text")

    array = np.array(read(value), object)
    if any(not isinstance(text, bytes) for text in array.ravel()):
        raise ValueError("its rows differ in length")
    return array


def _plain(array: np.ndarray) -> Any:
    if array.dtype.kind != "O":
        return array.tolist()

    def written(element: Any) -> Any:
        if isinstance(element, list):
            return [written(item) for item in element]
        try:
            return element.decode()
        except UnicodeDecodeError:
            return {BASE64: base64.b64encode(element).decode()}

    return written(array.tolist())
