"""Numpy arrays to and from TensorProto. Ships to stream workers: numpy and protobuf only.

Numbers are written as `tensor_content` (one copy of memory; `float_val` is about a thousand times slower to
encode), text as `string_val`. Both are read, because TensorFlow Serving itself answers with the typed fields.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from eugenie_cli.serving.protos import tensor_pb2

_NUMPY: Mapping[int, np.dtype] = {
    tensor_pb2.DT_FLOAT: np.dtype("float32"),
    tensor_pb2.DT_DOUBLE: np.dtype("float64"),
    tensor_pb2.DT_HALF: np.dtype("float16"),
    tensor_pb2.DT_INT8: np.dtype("int8"),
    tensor_pb2.DT_INT16: np.dtype("int16"),
    tensor_pb2.DT_INT32: np.dtype("int32"),
    tensor_pb2.DT_INT64: np.dtype("int64"),
    tensor_pb2.DT_UINT8: np.dtype("uint8"),
    tensor_pb2.DT_UINT16: np.dtype("uint16"),
    tensor_pb2.DT_UINT32: np.dtype("uint32"),
    tensor_pb2.DT_UINT64: np.dtype("uint64"),
    tensor_pb2.DT_BOOL: np.dtype("bool"),
    tensor_pb2.DT_STRING: np.dtype("object"),
}
_DATA_TYPE: Mapping[np.dtype, int] = {dtype: code for code, dtype in _NUMPY.items()}

_TYPED_FIELD: Mapping[int, str] = {
    tensor_pb2.DT_FLOAT: "float_val",
    tensor_pb2.DT_DOUBLE: "double_val",
    tensor_pb2.DT_HALF: "half_val",
    tensor_pb2.DT_INT64: "int64_val",
    tensor_pb2.DT_UINT32: "uint32_val",
    tensor_pb2.DT_UINT64: "uint64_val",
    tensor_pb2.DT_BOOL: "bool_val",
    tensor_pb2.DT_STRING: "string_val",
}
_DEFAULT_FIELD = "int_val"  # the small integers share it

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("tensor_content is little-endian memory: big-endian machines are not supported")


class TensorError(ValueError):
    """A TensorProto that is no tensor: an unknown type, or too few or too many elements for its shape."""


def numpy_type(data_type: int) -> np.dtype:
    """The numpy type of a DataType; text is `object`. Raises TensorError for types that are not supported."""
    if data_type not in _NUMPY:
        raise TensorError(f"tensors of type {data_type_name(data_type)} are not supported")
    return _NUMPY[data_type]


def data_type_name(data_type: int) -> str:
    """`1` -> `"float"`, as TensorFlow spells types in its messages."""
    if data_type in tensor_pb2.DataType.values():
        return tensor_pb2.DataType.Name(data_type)[len("DT_") :].lower()  # type: ignore[arg-type]
    return f"type {data_type}"


def data_type_of(dtype: np.dtype) -> int:
    """The DataType of a numpy dtype; text of any kind is DT_STRING. Raises TensorError for what has none."""
    if dtype.kind in "OSU":
        return tensor_pb2.DT_STRING
    try:
        return _DATA_TYPE[dtype.newbyteorder("=")]
    except KeyError:
        raise TensorError(f"no tensor holds elements of type {dtype}") from None


def encode(array: np.ndarray, into: tensor_pb2.TensorProto | None = None) -> tensor_pb2.TensorProto:
    """An array -> TensorProto (a new one, or `into`, which must be empty). `str` elements become UTF-8."""
    proto = tensor_pb2.TensorProto() if into is None else into
    data_type = data_type_of(array.dtype)
    proto.dtype = data_type  # type: ignore[assignment]
    proto.tensor_shape.SetInParent()  # a scalar has a shape too: the empty one
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if data_type == tensor_pb2.DT_STRING:
        proto.string_val.extend(
            item.encode() if isinstance(item, str) else bytes(item) for item in array.reshape(-1).tolist()
        )
    else:
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        proto.tensor_content = native.tobytes()
    return proto


def decode(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """TensorProto -> array, read-only where it shares the message's memory. DT_STRING gives objects of bytes.

    Raises TensorError when the type is unknown or the elements do not fill the shape.
    """
    dtype = _NUMPY.get(proto.dtype)
    if dtype is None:
        raise TensorError(f"tensors of {data_type_name(proto.dtype)} are not supported")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise TensorError("a tensor needs a fully known shape")
    count = 1
    for size in shape:
        count *= size
    if proto.tensor_content:
        if proto.dtype == tensor_pb2.DT_STRING:
            raise TensorError("text travels in string_val, not in tensor_content")
        if len(proto.tensor_content) != count * dtype.itemsize:
            raise TensorError(
                f"tensor_content has {len(proto.tensor_content)} bytes, shape {list(shape)} of "
                f"{data_type_name(proto.dtype)} needs {count * dtype.itemsize}"
            )
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    return _decode_typed(proto, dtype, count).reshape(shape)


def _decode_typed(proto: tensor_pb2.TensorProto, dtype: np.dtype, count: int) -> np.ndarray:
    """The elements of the typed field; a shorter field repeats its last element, as TensorFlow reads it."""
    values = getattr(proto, _TYPED_FIELD.get(proto.dtype, _DEFAULT_FIELD))
    if len(values) > count or (count and not values):
        raise TensorError(f"{len(values)} elements for a shape of {count}")
    if proto.dtype == tensor_pb2.DT_STRING:
        given = np.empty(len(values), dtype)
        given[:] = values
    elif proto.dtype == tensor_pb2.DT_HALF:
        given = np.array(values, np.uint16).view(np.float16)
    else:
        given = np.array(values).astype(dtype)
    if len(given) == count:
        return given
    return np.concatenate([given, np.repeat(given[-1:], count - len(given))])
