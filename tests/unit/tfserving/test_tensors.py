"""TensorProto round trips, and the same bytes as TensorFlow's own messages."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eugenie_cli.tfserving import tensors
from eugenie_cli.tfserving.protos import tensor_pb2

NUMBERS = [
    "float32",
    "float64",
    "float16",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def over_the_wire(array: np.ndarray, typed: bool = False) -> np.ndarray:
    return tensors.decode(tensor_pb2.TensorProto.FromString(tensors.encode(array, typed=typed).SerializeToString()))


@pytest.mark.slow
@given(st.sampled_from(NUMBERS).flatmap(lambda name: hnp.arrays(np.dtype(name), SHAPES)), st.booleans())
def test_numbers_survive_bit_for_bit(array: np.ndarray, typed: bool) -> None:
    back = over_the_wire(array, typed)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@given(st.lists(st.text(max_size=8), max_size=5))
def test_text_travels_as_utf8(words: list[str]) -> None:
    proto = tensors.encode(np.array(words, object))
    assert proto.dtype == tensor_pb2.DT_STRING
    assert not proto.tensor_content
    assert tensors.decode(proto).tolist() == [word.encode() for word in words]


def test_numbers_are_sent_as_tensor_content_alone() -> None:
    proto = tensors.encode(np.ones((2, 3), np.float32))
    assert len(proto.tensor_content) == 24
    assert not proto.float_val


def test_typed_numbers_are_in_the_field_of_their_type_alone() -> None:
    for dtype, field in (
        ("float32", "float_val"),
        ("float64", "double_val"),
        ("int16", "int_val"),
        ("bool", "bool_val"),
    ):
        proto = tensors.encode(np.array([[1, 0]], dtype), typed=True)
        assert not proto.tensor_content
        assert list(getattr(proto, field)) == [1, 0]


def test_memory_order_and_byte_order_do_not_matter() -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    assert over_the_wire(array).tolist() == array.tolist()
    assert over_the_wire(array).dtype == np.float32


@pytest.mark.parametrize(
    ("field", "data_type", "values"),
    [
        ("float_val", tensor_pb2.DT_FLOAT, [1.5, -2.0]),
        ("double_val", tensor_pb2.DT_DOUBLE, [1.5, -2.0]),
        ("int_val", tensor_pb2.DT_INT32, [1, -2]),
        ("int_val", tensor_pb2.DT_UINT8, [1, 255]),
        ("int64_val", tensor_pb2.DT_INT64, [1, -(2**60)]),
        ("uint64_val", tensor_pb2.DT_UINT64, [1, 2**63]),
        ("bool_val", tensor_pb2.DT_BOOL, [True, False]),
    ],
)
def test_typed_fields_are_read(field: str, data_type: int, values: list) -> None:
    proto = tensor_pb2.TensorProto(dtype=data_type)
    proto.tensor_shape.dim.add().size = 2
    getattr(proto, field).extend(values)
    assert tensors.decode(proto).tolist() == values


def test_half_val_holds_the_bits() -> None:
    proto = tensor_pb2.TensorProto(dtype=tensor_pb2.DT_HALF)
    proto.tensor_shape.dim.add().size = 1
    proto.half_val.append(int(np.float16(1.5).view(np.uint16)))
    assert tensors.decode(proto).tolist() == [1.5]


def test_a_short_typed_field_repeats_its_last_element() -> None:
    proto = tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, float_val=[1.0, 7.0])
    for size in (2, 2):
        proto.tensor_shape.dim.add().size = size
    assert tensors.decode(proto).tolist() == [[1.0, 7.0], [7.0, 7.0]]


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (tensor_pb2.TensorProto(dtype=tensor_pb2.DT_BFLOAT16), "bfloat16"),
        (tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, tensor_content=b"abc"), "3 bytes"),
        (
            tensor_pb2.TensorProto(dtype=tensor_pb2.DT_STRING, tensor_content=b"\x02a"),
            "1 bytes of text, but its lengths say 2",
        ),
        (tensor_pb2.TensorProto(dtype=tensor_pb2.DT_STRING, tensor_content=b"\x82"), "not have the lengths of 1"),
        (
            tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, float_val=[1], tensor_shape={"dim": [{"size": 10**12}]}),
            "larger than any tensor",
        ),
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_FLOAT, float_val=[1], tensor_shape={"dim": [{"size": 10**6}, {"size": 10**6}]}
            ),
            "1 elements stand for 1000000000000",
        ),
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_FLOAT, float_val=[1], tensor_shape={"dim": [{"size": 2_000_000}, {"size": 8}]}
            ),
            "1 elements stand for 16000000: more than 65,536 bytes",
        ),
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_STRING, string_val=[b"p-1"], tensor_shape={"dim": [{"size": 50_000_000}]}
            ),
            "1 elements stand for 50000000",
        ),
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_STRING, tensor_content=b"\x00" * 9, tensor_shape={"dim": [{"size": 50_000_000}]}
            ),
            "not have the lengths of 50000000 texts",
        ),
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_FLOAT, tensor_shape={"dim": [{"size": 2**62}, {"size": 0}, {"size": 8}]}
            ),
            "larger than any tensor",
        ),
        (
            tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, tensor_shape={"dim": [{"size": 1}] * 100}),
            "at most 32 dimensions, not 100",
        ),
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_FLOAT, tensor_shape=tensor_pb2.TensorShapeProto(unknown_rank=True)
            ),
            "known shape",
        ),
    ],
)
def test_what_is_no_tensor_is_refused(proto: tensor_pb2.TensorProto, message: str) -> None:
    with pytest.raises(tensors.TensorError, match=message):
        tensors.decode(proto)


PAIR = {"dim": [{"size": 2}]}
READ_BY_TENSORFLOW = [
    {"dtype": "DT_FLOAT", "tensor_shape": PAIR},
    {"dtype": "DT_FLOAT", "tensor_shape": PAIR, "float_val": [1, 2, 3]},
    {"dtype": "DT_FLOAT", "tensor_shape": PAIR, "float_val": [1, 2], "double_val": [3, 4]},
    {"dtype": "DT_FLOAT", "tensor_shape": PAIR, "int_val": [5, 6]},
    {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": 0}]}, "float_val": [1]},
    {"dtype": "DT_FLOAT", "float_val": [5]},
    {"dtype": "DT_INT32", "tensor_shape": PAIR, "int_val": [7]},
    {"dtype": "DT_HALF", "tensor_shape": PAIR, "half_val": [15360]},
    {"dtype": "DT_STRING", "tensor_shape": PAIR},
    {"dtype": "DT_STRING", "tensor_shape": PAIR, "string_val": [b"a"]},
    {"dtype": "DT_STRING", "tensor_shape": PAIR, "string_val": [b"a", b"b", b"c"]},
    {"dtype": "DT_STRING", "tensor_shape": PAIR, "tensor_content": b"\x01\x02abc"},
    {"dtype": "DT_STRING", "tensor_shape": PAIR, "tensor_content": b"\x01\xac\x02a" + b"b" * 300},
]
"""Messages with too few or too many elements, wrong fields, and packed text."""


def test_what_is_unusual_is_read_as_tensorflow_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = pytest.importorskip("tensorflow")
    for content in READ_BY_TENSORFLOW:
        proto = tensor_pb2.TensorProto(**content)
        theirs = tensorflow.io.parse_tensor(proto.SerializeToString(), proto.dtype).numpy()
        assert tensors.decode(proto).tolist() == theirs.tolist(), content


def test_a_dtype_that_no_tensor_has_is_refused() -> None:
    with pytest.raises(tensors.TensorError, match="datetime64"):
        tensors.encode(np.array(["2026-01-01"], "datetime64[ms]"))


def test_the_client_loads_nothing_heavy() -> None:
    code = """
        import sys
        import eugenie_cli.tfserving.async_client
        import eugenie_cli.tfserving.client
        heavy = {"tensorflow", "keras", "pandas", "pyarrow", "pydantic", "typer", "rich", "mlflow", "yaml"}
        assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
        ours = {name for name in sys.modules if name.startswith("eugenie_cli.")}
        print(*sorted(ours))
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert all(name.startswith("eugenie_cli.tfserving") for name in run.stdout.split())


def test_the_bytes_are_those_of_tensorflow_and_both_live_in_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = pytest.importorskip("tensorflow")
    official = pytest.importorskip("tensorflow.core.framework.tensor_pb2").TensorProto
    rows = np.array([[1.5, np.nan], [3.0, -np.inf]], np.float32)
    for array in (
        rows,
        np.array([b"pump-101", "Förderpumpe".encode()], object),
        np.arange(4, dtype=np.int64),
        np.float32(1),
    ):
        ours = tensors.encode(np.asarray(array))
        read = tensorflow.make_ndarray(official.FromString(ours.SerializeToString()))
        np.testing.assert_array_equal(read, array)
        theirs = tensorflow.make_tensor_proto(array).SerializeToString()
        np.testing.assert_array_equal(tensors.decode(tensor_pb2.TensorProto.FromString(theirs)), array)
