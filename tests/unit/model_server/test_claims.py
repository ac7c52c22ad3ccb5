"""Small requests that declare huge shapes are rejected before any memory is allocated for them."""

from __future__ import annotations

import tracemalloc

import grpc
import pytest

from eugenie_cli.model_server.signature import SignatureSpec, Spec
from eugenie_cli.model_server.status_error import Refusal
from eugenie_cli.tfserving.protos import serving_pb2, tensor_pb2

SENSORS = 3
SIGNATURE = SignatureSpec(
    "serving_default",
    {"asset": Spec(tensor_pb2.DT_STRING, (-1,)), "rows": Spec(tensor_pb2.DT_FLOAT, (-1, -1, SENSORS))},
    {"score": Spec(tensor_pb2.DT_FLOAT, (-1, -1))},
)


def claiming(shape: tuple[int, ...], assets: int = 1, **fields: object) -> serving_pb2.PredictRequest:
    """A request with `rows` of the given shape. `fields`: values of `rows`; `asset` has one value for its shape."""
    request = serving_pb2.PredictRequest()
    request.inputs["rows"].MergeFrom(tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, **fields))
    for size in shape:
        request.inputs["rows"].tensor_shape.dim.add().size = size
    request.inputs["asset"].MergeFrom(tensor_pb2.TensorProto(dtype=tensor_pb2.DT_STRING, string_val=[b"p-1"]))
    request.inputs["asset"].tensor_shape.dim.add().size = assets
    return request


@pytest.mark.parametrize(
    "request_",
    [
        claiming((1, 50_000_000, SENSORS), float_val=[1.0]),
        claiming((1, 2_000_000, SENSORS), float_val=[1.0]),
        claiming((1, 2_000_000, SENSORS)),
        claiming((20_000, 8, SENSORS), 20_000, float_val=[1.0]),
        claiming((50_000_000, 0, SENSORS), 50_000_000),
        claiming((2**40, 2**40, SENSORS), float_val=[1.0]),
        claiming((2**62, 0, SENSORS), 1),
        claiming((2**62, 0, SENSORS), 2**62),
        claiming((1, -5, SENSORS), float_val=[1.0]),
        claiming((1, 50_000_000, SENSORS), tensor_content=b"1234"),
        claiming((1,) * 100, float_val=[1.0]),
        claiming((50_000_000,), float_val=[1.0]),
        claiming((1, 8, SENSORS), 50_000_000, float_val=[1.0]),
    ],
)
def test_a_huge_declared_shape_is_an_invalid_argument_and_allocates_nothing(
    request_: serving_pb2.PredictRequest,
) -> None:
    assert len(request_.SerializeToString()) < 2_000
    tracemalloc.start()
    try:
        with pytest.raises(Refusal) as refused:
            SIGNATURE.read(request_)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_single_value_still_fills_a_shape_of_moderate_size() -> None:
    arrays = SIGNATURE.read(claiming((1, 1_000, SENSORS), float_val=[0.5]))
    assert arrays["rows"].shape == (1, 1_000, SENSORS) and (arrays["rows"] == 0.5).all()
