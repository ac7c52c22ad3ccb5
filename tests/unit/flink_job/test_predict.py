"""The predictor against a gRPC server: parts of an answer, retries, what is fatal, and how many calls wait at once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
import pytest

from eugenie_cli.flink_job import predict
from eugenie_cli.flink_job.batching import LARGE
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.predict import Predictor
from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.client import ModelServerError
from eugenie_cli.tfserving.protos import serving_pb2

from .conftest import build_spec

WINDOW = 4


class Model(grpc.GenericRpcHandler):
    """Answers with the rows that it was asked about; `refusals` come first, and `gate` holds it up."""

    def __init__(self, *refusals: grpc.StatusCode) -> None:
        self.refusals = list(refusals)
        self.calls: list[list[bytes]] = []
        self.gate = threading.Event()
        self.gate.set()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != protos.PREDICT:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._predict, serving_pb2.PredictRequest.FromString, serving_pb2.PredictResponse.SerializeToString
        )

    def _predict(
        self, request: serving_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> serving_pb2.PredictResponse:
        assets, rows = (tensors.decode(request.inputs[name]) for name in ("asset", "rows"))
        self.calls.append(assets.tolist())
        self.gate.wait(10)
        if self.refusals:
            context.abort(self.refusals.pop(0), "not now")
        response = serving_pb2.PredictResponse()
        response.model_spec.version.value = 7
        scored = np.ascontiguousarray(rows[:, WINDOW - 1 :])
        tensors.encode(np.ascontiguousarray(scored[:, :, 0]), response.outputs["score"])
        for name in ("contribution", "expected"):
            tensors.encode(scored, response.outputs[name])
        return response


@contextmanager
def served(model: Model, port: int = 0) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(8), handlers=[model])
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@contextmanager
def predictor(address: str, noted: list[int] | None = None, **spec: object) -> Iterator[Predictor]:
    noted = [] if noted is None else noted
    one = Predictor(build_spec(model_server=address, **spec), lambda windows, _millis: noted.append(windows))
    try:
        yield one
    finally:
        one.close()


def batch(assets: str, steps: int = 1) -> Batch:
    """An asset's rows are full of the code of its letter."""
    rows = np.array([np.full((WINDOW - 1 + steps, 2), ord(name)) for name in assets], np.float32)
    counts = np.ones((len(assets), steps), np.int32)
    return Batch("pump", tuple(assets), 1_000, 1_000, rows, counts, counts * 0)


def test_each_batch_gets_its_own_part_of_the_answer() -> None:
    model, noted = Model(), []
    work = [(0, batch("ab")), (3, batch("c")), (5, batch("de", steps=LARGE))]
    with served(model) as address, predictor(address, noted) as asked:
        found = list(asked.scored(work))
    assert sorted(map(len, model.calls)) == [2, 3] and noted == [3, 2 * LARGE]
    assert [shard for shard, _ in found] == [0, 3, 5]
    for (_, asked_about), (_, scored) in zip(work, found, strict=True):
        steps = asked_about.readings.shape[1]
        assert scored.version == 7 and scored.score.shape == asked_about.readings.shape
        assert scored.batch.rows.shape == scored.expected.shape == (len(asked_about.assets), steps, 2)
        assert [chr(int(code)) for code in scored.score[:, 0]] == list(asked_about.assets)


def test_a_server_that_is_away_or_still_loading_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "FIRST_PAUSE_S", 0.01)
    model = Model(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED)
    with served(model) as address, predictor(address) as asked:
        ((_, scored),) = asked.scored([(0, batch("a"))])
    assert scored.score[0, 0] == ord("a") and len(model.calls) == 4


def test_a_server_that_comes_up_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "LONGEST_PAUSE_S", 0.2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    found: list = []
    with predictor(f"127.0.0.1:{port}") as asked:
        thread = threading.Thread(target=lambda: found.extend(asked.scored([(0, batch("a"))])))
        thread.start()
        time.sleep(0.5)
        assert thread.is_alive()
        with served(Model(), port):
            thread.join(20)
    assert [shard for shard, _ in found] == [0]


def test_a_request_that_is_wrong_is_not_repeated() -> None:
    model = Model(grpc.StatusCode.INVALID_ARGUMENT)
    with served(model) as address, predictor(address) as asked, pytest.raises(ModelServerError, match="not now"):
        list(asked.scored([(0, batch("a"))]))
    assert len(model.calls) == 1


def test_rows_are_made_while_the_model_works_and_only_so_many() -> None:
    model, made = Model(), []

    def work() -> Iterator[tuple[int, Batch]]:
        for shard in range(5):
            made.append(shard)
            yield shard, batch("a", steps=LARGE)

    model.gate.clear()
    found: list[int] = []
    with served(model) as address, predictor(address, in_flight=3) as asked:
        thread = threading.Thread(target=lambda: found.extend(shard for shard, _ in asked.scored(work())))
        thread.start()
        until = time.monotonic() + 10
        while len(model.calls) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert (len(model.calls), made, found) == (3, [0, 1, 2], [])
        model.gate.set()
        thread.join(10)
    assert found == [0, 1, 2, 3, 4]
