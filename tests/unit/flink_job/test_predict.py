"""The predictor against a gRPC server: splitting answers, retries, fatal errors, and the limit of calls in flight."""

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
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.predict import Predictor
from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.errors import ModelServerError
from eugenie_cli.tfserving.protos import serving_pb2

from .conftest import build_spec

WINDOW = 4


class Model(grpc.GenericRpcHandler):
    """Answers with the rows of the request, after `refusals`; blocks while `gate` is closed."""

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
    client = Predictor(build_spec(model_server=address, **spec), lambda windows, _millis: noted.append(windows))
    try:
        yield client
    finally:
        client.close()


def batch(assets: str, steps: int = 1) -> Batch:
    """Rows filled with the character code of their asset's letter."""
    rows = np.array([np.full((WINDOW - 1 + steps, 2), ord(name)) for name in assets], np.float32)
    counts = np.ones((len(assets), steps), np.int32)
    return Batch(
        "pump",
        tuple(assets),
        np.full(len(assets), 1_000),
        1_000,
        rows,
        counts,
        counts * 0,
        np.zeros(len(assets), np.int64),
    )


def test_each_batch_gets_its_part_of_the_answer() -> None:
    model, noted = Model(), []
    work = [batch("ab"), batch("c"), batch("de", steps=40)]
    with served(model) as address, predictor(address, noted) as client:
        results = list(client.scored(work))
    assert sorted(map(len, model.calls)) == [1, 2, 2] and noted == [2, 1, 80]
    for requested, scored in zip(work, results, strict=True):
        steps = requested.readings.shape[1]
        assert scored.version == 7 and scored.score.shape == requested.readings.shape
        assert scored.batch.rows.shape == scored.expected.shape == (len(requested.assets), steps, 2)
        assert [chr(int(code)) for code in scored.score[:, 0]] == list(requested.assets)


def test_an_unreachable_or_loading_server_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "FIRST_PAUSE_S", 0.01)
    model = Model(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED)
    with served(model) as address, predictor(address) as client:
        (scored,) = client.scored([batch("a")])
    assert scored.score[0, 0] == ord("a") and len(model.calls) == 4


@pytest.mark.slow
def test_a_server_that_starts_later_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "LONGEST_PAUSE_S", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    results: list = []
    with predictor(f"127.0.0.1:{port}") as client:
        thread = threading.Thread(target=lambda: results.extend(client.scored([batch("a")])))
        thread.start()
        time.sleep(0.5)
        assert thread.is_alive()
        with served(Model(), port):
            thread.join(20)
    assert len(results) == 1


def test_a_rejected_request_is_not_repeated() -> None:
    model = Model(grpc.StatusCode.INVALID_ARGUMENT)
    with served(model) as address, predictor(address) as client, pytest.raises(ModelServerError, match="not now"):
        list(client.scored([batch("a")]))
    assert len(model.calls) == 1


def test_rows_are_made_while_the_model_works_up_to_the_limit_of_calls() -> None:
    model, produced = Model(), []

    def work() -> Iterator[Batch]:
        for number in range(5):
            produced.append(number)
            yield batch("abcde"[number])

    model.gate.clear()
    names: list[str] = []
    with served(model) as address, predictor(address, in_flight=3) as client:
        thread = threading.Thread(
            target=lambda: names.extend(scored.batch.assets[0] for scored in client.scored(work()))
        )
        thread.start()
        until = time.monotonic() + 10
        while len(model.calls) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert (len(model.calls), produced, names) == (3, [0, 1, 2], [])
        model.gate.set()
        thread.join(10)
    assert names == list("abcde")


def test_a_scored_batch_is_divided_among_the_shards_of_its_assets() -> None:
    with served(Model()) as address, predictor(address) as client:
        (scored,) = client.scored([batch("abcde", steps=3)])
    parts = list(scored.by_group(lambda asset: int(asset > "b")))
    assert [part.batch.assets for _, part in parts] == [tuple("ab"), tuple("cde")]
    for _, part in parts:
        assert [chr(int(code)) for code in part.score[:, 0]] == list(part.batch.assets)
        assert part.batch.edges.shape == part.batch.readings.shape == (len(part.batch.assets), 3)
