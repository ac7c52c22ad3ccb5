"""Numpy arrays to and from TensorProto. Ships to stream workers: numpy and protobuf only.

Requests carry numbers in `tensor_content`, a single copy of memory. Responses carry them in typed fields (`float_val`),
like TensorFlow Serving's, because many of its callers read nothing else. Both forms can be read. A packed `float_val`
has the same bytes on the wire, so floats are written and read there in one piece: element by element they would take a
hundred times as long. Text is in `string_val`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

from eugenie_cli.tfserving.protos import tensor_pb2

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
_DEFAULT_FIELD = "int_val"  # shared by the small integer types

_PACKED: Mapping[int, bytes] = {
    data_type: bytes([tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[_TYPED_FIELD[data_type]].number << 3 | 2])
    for data_type in (tensor_pb2.DT_FLOAT, tensor_pb2.DT_DOUBLE)
}
"""Types whose field on the wire equals their elements' memory, and the byte that begins the field."""

LARGEST_REPEATED = 64 * 1024
"""Bytes of a tensor whose shape needs more elements than the message carries. A constant of a few thousand rows is a
convenience; a message of 100 bytes that stands for gigabytes, or for minutes of work, is an attack."""

MOST_DIMENSIONS, LARGEST_DIMENSION = 32, 2**31 - 1

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("tensor_content is little-endian memory: big-endian machines are not supported")


class TensorError(ValueError):
    """An invalid TensorProto: an unknown type or shape, or content whose length does not match the shape."""


def numpy_type(data_type: int) -> np.dtype:
    """The numpy type of a DataType; `object` for text. Raises TensorError for unsupported types."""
    if data_type not in _NUMPY:
        raise TensorError(f"tensors of type {data_type_name(data_type)} are not supported")
    return _NUMPY[data_type]


def data_type_name(data_type: int) -> str:
    """`1` -> `"float"`, as TensorFlow spells types in its messages."""
    if data_type in tensor_pb2.DataType.values():
        return tensor_pb2.DataType.Name(data_type)[len("DT_") :].lower()  # type: ignore[arg-type]
    return f"type {data_type}"


@lru_cache(maxsize=256)
def data_type_of(dtype: np.dtype) -> int:
    """The DataType of a numpy dtype; DT_STRING for text of any kind. Raises TensorError if there is none."""
    if dtype.kind in "OSU":
        return tensor_pb2.DT_STRING
    try:
        return _DATA_TYPE[dtype.newbyteorder("=")]
    except KeyError:
        raise TensorError(f"no tensor holds elements of type {dtype}") from None


def encode(
    array: np.ndarray, into: tensor_pb2.TensorProto | None = None, typed: bool = False
) -> tensor_pb2.TensorProto:
    """Convert an array to a TensorProto (a new one, or `into`, which must be empty). `str` elements become UTF-8.

    `typed`: write numbers to the field of their type, for example `float_val`, instead of `tensor_content`.
    """
    proto = tensor_pb2.TensorProto() if into is None else into
    data_type = data_type_of(array.dtype)
    head = _head(data_type, array.shape)
    if typed and data_type in _PACKED:
        memory = array.astype(_NUMPY[data_type], copy=False).tobytes()
        proto.MergeFromString(head + _PACKED[data_type] + _varint(len(memory)) + memory)
        return proto
    proto.MergeFromString(head)
    if data_type == tensor_pb2.DT_STRING:
        proto.string_val.extend(
            item.encode() if isinstance(item, str) else bytes(item) for item in array.reshape(-1).tolist()
        )
        return proto
    native = array.astype(_NUMPY[data_type], copy=False)
    if not typed:
        proto.tensor_content = native.tobytes()
    else:
        bits = native.view(np.uint16) if data_type == tensor_pb2.DT_HALF else native
        getattr(proto, _TYPED_FIELD.get(data_type, _DEFAULT_FIELD)).extend(bits.reshape(-1).tolist())
    return proto


@lru_cache(maxsize=1024)
def _head(data_type: int, shape: tuple[int, ...]) -> bytes:
    """Serialised type and shape. A scalar's shape is written too, as the empty one."""
    dims = [tensor_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    proto = tensor_pb2.TensorProto(dtype=data_type, tensor_shape=tensor_pb2.TensorShapeProto(dim=dims))  # type: ignore[arg-type]
    return proto.SerializeToString()


def decode(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Convert a TensorProto to an array, read-only if it shares the message's memory. DT_STRING gives bytes objects.

    As in TensorFlow, a typed field with too few elements for the shape repeats its last one, an empty field stands for
    zeros (or empty text), and surplus elements are ignored. Raises TensorError if the type or the shape is unknown, if
    `tensor_content` does not fill the shape, or if a few elements stand for too many.
    """
    dtype = _NUMPY.get(proto.dtype)
    if dtype is None:
        raise TensorError(f"tensors of {data_type_name(proto.dtype)} are not supported")
    shape = shape_of(proto)
    count = math.prod(shape)
    if not proto.tensor_content:
        return _decode_typed(proto, dtype, count).reshape(shape)
    if proto.dtype == tensor_pb2.DT_STRING:
        return _array_of(_texts(proto.tensor_content, count)).reshape(shape)
    if len(proto.tensor_content) != count * dtype.itemsize:
        raise TensorError(
            f"tensor_content has {len(proto.tensor_content)} bytes, shape {list(shape)} of "
            f"{data_type_name(proto.dtype)} needs {count * dtype.itemsize}"
        )
    return np.frombuffer(proto.tensor_content, dtype).reshape(shape)


def shape_of(proto: tensor_pb2.TensorProto) -> tuple[int, ...]:
    """The shape, without allocating memory for it. Raises TensorError."""
    if len(proto.tensor_shape.dim) > MOST_DIMENSIONS:
        raise TensorError(f"a tensor has at most {MOST_DIMENSIONS} dimensions, not {len(proto.tensor_shape.dim)}")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or (shape and min(shape) < 0):
        raise TensorError("a tensor needs a fully known shape")
    if shape and max(shape) > LARGEST_DIMENSION:
        raise TensorError(f"shape {list(shape)} is larger than any tensor")
    return shape


def _decode_typed(proto: tensor_pb2.TensorProto, dtype: np.dtype, count: int) -> np.ndarray:
    values = getattr(proto, _TYPED_FIELD.get(proto.dtype, _DEFAULT_FIELD))
    if proto.dtype in _PACKED and len(values) == count:
        memory = _packed(proto, count * dtype.itemsize)
        if memory is not None:
            return np.frombuffer(memory, dtype)
    if count > len(values) and count * dtype.itemsize > LARGEST_REPEATED:
        raise TensorError(f"{len(values)} elements stand for {count}: more than {LARGEST_REPEATED:,} bytes")
    given: np.ndarray
    if proto.dtype == tensor_pb2.DT_STRING:
        if len(values) == count:
            return _array_of(values)
        given = _array_of(values[:count] or [b""])
    elif proto.dtype == tensor_pb2.DT_HALF:
        given = np.array(values[:count] or [0], np.uint16).view(np.float16)
    else:
        # without a type, numpy converts a mix of small numbers and numbers above 2**63 to floats
        given = np.array(values[:count] or [0], dtype if dtype == np.uint64 else None).astype(dtype)
    return np.concatenate([given, np.repeat(given[-1:], max(0, count - len(given)))])[:count]


def _packed(proto: tensor_pb2.TensorProto, size: int) -> memoryview | None:
    """The memory of a packed field at the end of the message (no later field is set); otherwise None."""
    head = _PACKED[proto.dtype] + _varint(size)
    written = proto.SerializeToString()
    begin = len(written) - size
    return memoryview(written)[begin:] if written[begin - len(head) : begin] == head else None


def _texts(content: bytes, count: int) -> list[bytes]:
    """Decode text in `tensor_content`: all lengths as varints, then all bytes. Raises TensorError."""
    lengths, at = [], 0
    try:
        for _ in range(count):
            length = shift = 0
            while content[at] & 0x80:
                length, shift, at = length | (content[at] & 0x7F) << shift, shift + 7, at + 1
            lengths.append(length | content[at] << shift)
            at += 1
    except IndexError:
        raise TensorError(f"tensor_content does not have the lengths of {count} texts") from None
    if at + sum(lengths) != len(content):
        raise TensorError(f"tensor_content has {len(content) - at} bytes of text, but its lengths say {sum(lengths)}")
    ends = list(accumulate(lengths, initial=at))
    return [content[begin:end] for begin, end in pairwise(ends)]


def _array_of(texts: Sequence[bytes]) -> np.ndarray:
    # numpy does not treat bytes as sequences: one dimension, even if all have the same length
    return np.array(list(texts), object)


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
