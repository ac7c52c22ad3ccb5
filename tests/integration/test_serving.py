"""The model server as a process: swaps under load, TensorFlow Serving's messages, start and stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from support.model_server import POLL_MS, wait_until
from support.small_models import ASSETS, SENSORS, SITE, WINDOW, release, renumbered, write_version

from eugenie_cli.engines import sockets
from eugenie_cli.engines.endpoints import model_server, model_socket
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import local, runtime
from eugenie_cli.serving.health import is_serving
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.async_client import AsyncPredictClient
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.errors import ModelServerError
from eugenie_cli.tfserving.protos import config_pb2, serving_pb2, tensor_pb2

pytestmark = pytest.mark.integration

LAST = 7
"""Versions 1 to LAST are created in advance; publishing is a rename."""


@dataclass(frozen=True)
class Server:
    address: str
    models: Path
    process: psutil.Process


@dataclass(frozen=True)
class Model:
    """One test's model on the shared server."""

    name: str
    folder: Path
    versions: Path

    def publish(self, version: int) -> Path:
        return renumbered(self.versions / "pump" / str(version), self.folder / str(version))


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`versions/pump/N`, N from 1 to LAST."""
    root = tmp_path_factory.mktemp("versions")
    for version in range(1, LAST + 1):
        write_version(root, "pump", version)
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without models, on a port chosen by the system."""
    root = tmp_path_factory.mktemp("server")
    models, ready = root / "models", root / "ready.json"
    arguments = [
        "--models",
        str(models),
        "--unreleased",
        "--port",
        "0",
        "--poll",
        str(POLL_MS),
        "--ready-file",
        str(ready),
    ]
    with (root / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "eugenie_cli.model_server", *arguments, "--ready-file", str(ready)],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, 180)
        assert process.poll() is None, (root / "server.log").read_text()
        yield Server(json.loads(ready.read_text())["address"], models, psutil.Process(process.pid))
    finally:
        process.terminate()
        assert process.wait(30) == 0
        assert not ready.exists()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[PredictClient]:
    with PredictClient(server.address) as connected:
        yield connected


@pytest.fixture
def model(server: Server, versions: Path, client: PredictClient, request: pytest.FixtureRequest) -> Model:
    """The test's own model, with version 1 serving."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    created = Model(name, server.models / name, versions)
    created.publish(1)
    wait_until(lambda: answers(client, name))
    return created


def answers(client: PredictClient, name: str) -> bool:
    try:
        client.predict(name, [ASSETS[0]], segment())
    except ModelServerError as error:
        assert error.code is grpc.StatusCode.NOT_FOUND
        return False
    return True


def serves(client: PredictClient, name: str, version: int) -> bool:
    return any(model.version == version and model.state == "AVAILABLE" for model in client.status(name))


def segment(batch: int = 1, rows: int = WINDOW) -> np.ndarray:
    return np.random.default_rng(batch).normal(size=(batch, rows, SENSORS)).astype(np.float32)


def expected_score(rows: np.ndarray, version: int) -> np.ndarray:
    framed = np.lib.stride_tricks.sliding_window_view(rows, WINDOW, axis=1)
    return framed.sum(axis=(2, 3)) + 1000 * version


# -- answers ----------------------------------------------------------------------------------------------


def test_a_prediction_has_every_row_that_ends_a_window(client: PredictClient, model: Model) -> None:
    rows = segment(5, WINDOW + 9)
    answer = client.predict(model.name, [ASSETS[0]] * 5, rows)
    assert answer.version == 1
    np.testing.assert_allclose(answer.score, expected_score(rows, 1), rtol=1e-5)
    assert answer.contribution.shape == answer.expected.shape == (5, 10, SENSORS)
    np.testing.assert_array_equal(answer.expected, rows[:, WINDOW - 1 :])


def test_an_unknown_asset_scores_nan_beside_a_known_one(client: PredictClient, model: Model) -> None:
    answer = client.predict(model.name, ["pump-999", ASSETS[1]], segment(2))
    assert np.isnan(answer.score[0]).all()
    assert np.isfinite(answer.score[1]).all()


def test_large_requests_are_cut_and_put_together_in_order(client: PredictClient, model: Model) -> None:
    for batch in (0, 1, 31, 32, 33, 130):
        rows = segment(batch, WINDOW + 2)
        answer = client.predict(model.name, [ASSETS[0]] * batch, rows)
        np.testing.assert_allclose(answer.score, expected_score(rows, 1).reshape(batch, 3), rtol=1e-5)


def test_callers_of_different_lengths_and_sizes_do_not_mix(client: PredictClient, model: Model) -> None:
    def ask(number: int) -> None:
        rows = segment(1 + number % 7, WINDOW + number % 3)
        answer = client.predict(model.name, [ASSETS[0]] * len(rows), rows)
        np.testing.assert_allclose(answer.score, expected_score(rows, 1), rtol=1e-5)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(ask, range(400)))


def test_messages_may_be_larger_than_grpc_allows_by_default(client: PredictClient, model: Model) -> None:
    rows = segment(1, 600_000)  # a request of 7 MB, a response of 17 MB
    answer = client.predict(model.name, [ASSETS[0]], rows)
    assert answer.score.shape == (1, 600_000 - WINDOW + 1)


def test_long_segments_are_cut_along_their_rows_and_give_the_same(client: PredictClient, model: Model) -> None:
    for batch, windows in ((1, 256), (1, 257), (1, 5_000), (3, 700)):
        rows = segment(batch, windows + WINDOW - 1)
        answer = client.predict(model.name, [ASSETS[0]] * batch, rows)
        np.testing.assert_allclose(answer.score, expected_score(rows, 1), rtol=1e-5)
        np.testing.assert_array_equal(answer.expected, rows[:, WINDOW - 1 :])
        assert answer.contribution.shape == (batch, windows, SENSORS)


def test_metadata_status_and_health(server: Server, client: PredictClient, model: Model) -> None:
    metadata = client.metadata(model.name)
    (only,) = client.status(model.name)
    signature = metadata.signatures["serving_default"]
    assert metadata.version == 1
    assert set(metadata.signatures) == {"serving_default"}
    assert signature.inputs["rows"].dtype == "float"
    assert signature.inputs["rows"].shape == (None, None, SENSORS)
    assert signature.inputs["asset"].dtype == "string"
    assert signature.inputs["asset"].shape == (None,)
    assert set(signature.outputs) == {"score", "contribution", "expected"}
    assert (only.version, only.state, only.error_code) == (1, "AVAILABLE", 0)
    assert is_serving(server.address)


# -- versions ---------------------------------------------------------------------------------------------


def test_versions_are_swapped_under_64_callers_without_an_error(server: Server, model: Model) -> None:
    """Every answer is right for the version that it names, and a caller never sees an older version again."""
    seen: set[int] = set()
    requests = 0

    async def caller(client: AsyncPredictClient, number: int, stop: asyncio.Event) -> None:
        nonlocal requests
        rows, last = segment(1 + number % 3), 0
        while not stop.is_set():
            answer = await client.predict(model.name, [ASSETS[0]] * len(rows), rows)
            np.testing.assert_allclose(answer.score, expected_score(rows, answer.version), rtol=1e-5)
            assert answer.version >= last
            last = answer.version
            seen.add(last)
            requests += 1

    async def is_seen(version: int) -> None:
        while version not in seen:
            await asyncio.sleep(0.02)

    async def publish(stop: asyncio.Event) -> None:
        try:
            for version in range(2, LAST + 1):
                model.publish(version)
                await asyncio.wait_for(is_seen(version), 60)
        finally:
            stop.set()

    async def run() -> None:
        stop = asyncio.Event()
        async with AsyncPredictClient(server.address) as client:
            await asyncio.gather(publish(stop), *(caller(client, number, stop) for number in range(64)))

    asyncio.run(run())
    assert seen == set(range(1, LAST + 1))
    assert requests > 500
    with PredictClient(server.address) as client:
        states = {version.version: version.state for version in client.status(model.name)}
    assert states == {LAST: "AVAILABLE", **dict.fromkeys(range(1, LAST), "END")}


def test_an_explicit_version_answers_only_while_it_serves(client: PredictClient, model: Model) -> None:
    assert client.predict(model.name, [ASSETS[0]], segment(), version=1).version == 1
    model.publish(2)
    wait_until(lambda: serves(client, model.name, 2))
    assert client.predict(model.name, [ASSETS[0]], segment(), version=2).version == 2
    with pytest.raises(ModelServerError) as refused:
        client.predict(model.name, [ASSETS[0]], segment(), version=1)
    assert refused.value.code is grpc.StatusCode.NOT_FOUND
    assert refused.value.details == f"Servable not found for request: Specific({model.name}, 1)"


def test_removing_a_version_serves_the_previous_one(client: PredictClient, model: Model) -> None:
    second = model.publish(2)
    wait_until(lambda: serves(client, model.name, 2))
    shutil.rmtree(second)
    wait_until(lambda: serves(client, model.name, 1))
    assert client.predict(model.name, [ASSETS[0]], segment()).version == 1


def test_a_model_goes_when_its_directory_goes(client: PredictClient, model: Model) -> None:
    shutil.rmtree(model.folder)
    wait_until(lambda: not answers(client, model.name))
    assert [version.state for version in client.status(model.name)] == ["END"]


def test_a_version_that_cannot_be_loaded_is_reported_and_the_old_one_goes_on(
    client: PredictClient, model: Model
) -> None:
    broken = model.folder / "2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"this is no SavedModel")
    wait_until(lambda: any(version.version == 2 and version.state == "END" for version in client.status(model.name)))
    (failed,) = client.status(model.name, version=2)
    assert failed.error_code != 0
    assert failed.error_message
    assert client.predict(model.name, [ASSETS[0]], segment()).version == 1


# -- TensorFlow Serving's codes and messages ----------------------------------------------------------------

ROWS = np.zeros((1, WINDOW, SENSORS), np.float32)
ASSET = np.array([b"pump-101"], object)
GOOD = {"asset": ASSET, "rows": ROWS}
TWO_ASSETS = np.array([b"a", b"b"], object)

INVALID_REQUESTS = [
    ({"rows": ROWS}, "Missing but required: {asset}."),
    ({**GOOD, "more": ROWS}, "Sent extra: {more}."),
    ({**GOOD, "rows": ROWS.astype(np.float64)}, "Expects rows to be float but double is provided"),
    ({**GOOD, "rows": ROWS[0]}, "shape of rows"),
    ({**GOOD, "rows": ROWS[:, :, :2]}, "shape of rows"),
    ({**GOOD, "asset": TWO_ASSETS}, "equal 0th-dimension size"),
    ({**GOOD, "rows": ROWS[:, 1:]}, "too few rows"),  # from the graph
]


def test_wrong_inputs_are_invalid_arguments(client: PredictClient, model: Model) -> None:
    for inputs, words in INVALID_REQUESTS:
        with pytest.raises(ModelServerError, match=re.escape(words)) as refused:
            client.call(model.name, inputs)
        assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert not refused.value.retryable


def test_what_does_not_exist_is_named_as_tensorflow_serving_names_it(client: PredictClient, model: Model) -> None:
    name = model.name
    for ask, code, words in [
        (lambda: client.call("nope", GOOD), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        (
            lambda: client.call(name, GOOD, 9),
            "NOT_FOUND",
            f"Servable not found for request: Specific({name}, 9)",
        ),
        (
            lambda: client.call(name, GOOD, None, "x"),
            "FAILED_PRECONDITION",
            'Serving signature key "x" not found.',
        ),
        (lambda: client.status("nope"), "NOT_FOUND", "Could not find any versions of model nope"),
        (lambda: client.status(name, 9), "NOT_FOUND", f"Could not find version 9 of model {name}"),
        (lambda: client.metadata("nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    ]:
        with pytest.raises(ModelServerError) as refused:
            ask()
        assert (refused.value.code.name, refused.value.details) == (code, words)


def test_one_bad_caller_does_not_fail_the_others(client: PredictClient, model: Model) -> None:
    def ask(number: int) -> str:
        rows = segment(1, WINDOW - 1 if number % 4 == 0 else WINDOW)
        try:
            client.predict(model.name, [ASSETS[0]], rows)
        except ModelServerError as error:
            return error.code.name
        return "OK"

    with ThreadPoolExecutor(32) as pool:
        given = list(pool.map(ask, range(200)))
    assert given == ["INVALID_ARGUMENT" if number % 4 == 0 else "OK" for number in range(200)]


def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    with PredictClient("127.0.0.1:1") as nobody, pytest.raises(ModelServerError) as away:
        nobody.status("pump", timeout=5)
    assert away.value.code is grpc.StatusCode.UNAVAILABLE
    assert away.value.retryable


def raw_call(address: str, method: str, request: bytes) -> bytes:
    with grpc.insecure_channel(address) as channel:
        return channel.unary_unary(method)(request, timeout=20)


def test_typed_fields_and_an_output_filter_are_understood(server: Server, model: Model) -> None:
    request = serving_pb2.PredictRequest(output_filter=["score"])
    request.model_spec.name = model.name
    rows = request.inputs["rows"]
    rows.dtype = 1
    for size in (1, WINDOW, SENSORS):
        rows.tensor_shape.dim.add().size = size
    rows.float_val.append(0.5)  # applies to every element
    tensors.encode(ASSET, request.inputs["asset"])
    answer = serving_pb2.PredictResponse.FromString(
        raw_call(server.address, protos.PREDICT, request.SerializeToString())
    )
    assert set(answer.outputs) == {"score"}
    assert answer.outputs["score"].float_val and not answer.outputs["score"].tensor_content
    assert tensors.decode(answer.outputs["score"]).tolist() == [[1000 + 0.5 * WINDOW * SENSORS]]


MALFORMED = [
    (protos.PREDICT, serving_pb2.PredictRequest(), "Missing ModelSpec"),
    (protos.GET_MODEL_STATUS, serving_pb2.GetModelStatusRequest(), "Missing ModelSpec"),
    (
        protos.GET_MODEL_METADATA,
        serving_pb2.GetModelMetadataRequest(model_spec={"name": "pump"}),
        "must specify at least one metadata_field",
    ),
    (
        protos.GET_MODEL_METADATA,
        serving_pb2.GetModelMetadataRequest(model_spec={"name": "pump"}, metadata_field=["x"]),
        "Metadata field x is not supported",
    ),
    (
        protos.PREDICT,
        serving_pb2.PredictRequest(model_spec={"name": "pump", "version_label": "champion"}),
        "Unrecognized servable version label: champion",
    ),
]


def claiming(shape: tuple[int, ...], assets: int = 1, **fields: object) -> serving_pb2.PredictRequest:
    """A request of a few bytes: the shape of its rows, and the field that fills it."""
    request = serving_pb2.PredictRequest()
    rows = request.inputs["rows"]
    rows.MergeFrom(tensor_pb2.TensorProto(dtype=1, **fields))
    for size in shape:
        rows.tensor_shape.dim.add().size = size
    asset = request.inputs["asset"]
    asset.MergeFrom(tensor_pb2.TensorProto(dtype=7, string_val=[b"pump-101"]))
    asset.tensor_shape.dim.add().size = assets
    return request


CLAIMS = {
    "gigabytes of one value": claiming((1, 50_000_000, SENSORS), float_val=[1.0]),
    "minutes of work of one value": claiming((1, 2_000_000, SENSORS), float_val=[1.0]),
    "without a value": claiming((1, 2_000_000, SENSORS)),
    "many segments of one value": claiming((20_000, WINDOW, SENSORS), 20_000, float_val=[1.0]),
    "many assets, no rows": claiming((50_000_000, 0, SENSORS), 50_000_000),
    "a product beyond 64 bits": claiming((2**40, 2**40, SENSORS), 1, float_val=[1.0]),
    "a dimension beyond 64 bits": claiming((2**62, 0, SENSORS), 1),
    "a negative dimension": claiming((1, -5, SENSORS), float_val=[1.0]),
    "content that is not there": claiming((1, 50_000_000, SENSORS), tensor_content=b"1234"),
    "a hundred dimensions": claiming((1,) * 100, float_val=[1.0]),
    "another rank": claiming((50_000_000,), float_val=[1.0]),
}


def test_small_requests_that_claim_much_are_refused_before_memory_is_made(server: Server, model: Model) -> None:
    before = server.process.memory_info().rss
    for name, request in CLAIMS.items():
        request.model_spec.name = model.name
        assert len(request.SerializeToString()) < 2_000
        with pytest.raises(grpc.RpcError) as refused:
            raw_call(server.address, protos.PREDICT, request.SerializeToString())
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (name, refused.value.details())
    assert server.process.memory_info().rss - before < 200 * 2**20


def test_what_is_served_cannot_be_changed_by_callers(client: PredictClient, model: Model, versions: Path) -> None:
    config = config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name="foreign", base_path=str(versions / "pump"), model_platform="tensorflow")
    with pytest.raises(ModelServerError, match=r"serving: \{reload: true\}") as refused:
        client.reload(config)
    assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED and not refused.value.retryable
    assert answers(client, model.name) and not answers(client, "foreign")


def test_a_timed_out_call_does_not_block_others(server: Server, client: PredictClient, model: Model) -> None:
    """A segment of a minute's work whose caller leaves at once."""
    rows = np.zeros((1, 900_000, SENSORS), np.float32)
    for _ in range(3):
        with pytest.raises(ModelServerError) as late:
            client.predict(model.name, [ASSETS[0]], rows, timeout=0.5)
        assert late.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert client.predict(model.name, [ASSETS[0]], segment()).version == 1
    # if the pieces of the three were still processed, the queue would be full for a fourth
    assert client.predict(model.name, [ASSETS[0]], segment(1, 300_000)).score.shape == (1, 300_000 - WINDOW + 1)


def test_malformed_requests_are_invalid_arguments(server: Server) -> None:
    for method, request, words in MALFORMED:
        with pytest.raises(grpc.RpcError) as refused:
            raw_call(server.address, method, request.SerializeToString())
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert words in refused.value.details()


# -- the process ---------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "plant.yaml").write_text(SITE)
    opened = load_site(tmp_path / "plant.yaml")
    yield opened
    local.stop(opened)


def test_start_and_stop_are_idempotent_and_requests_in_flight_are_answered(site: Site, versions: Path) -> None:
    renumbered(versions / "pump" / "1", workspace_of(site).models / "pump" / "1")
    release(workspace_of(site).models, "pump", 1)
    assert local.status(site).state == "stopped"

    first = local.start(site)
    assert first.state == "running"
    assert [(model.name, model.version, model.state) for model in first.models] == [("pump", 1, "AVAILABLE")]
    assert local.start(site).pid == first.pid
    assert (model_server(site), model_socket(site)) == (first.address, first.socket)

    rows = segment(64, WINDOW + 4_000)
    with PredictClient(first.address) as client, ThreadPoolExecutor(8) as pool:
        client.predict("pump", [ASSETS[0]], segment())  # connects
        begun = [client.begin("pump", [ASSETS[0]] * 64, rows) for _ in range(8)]  # all are in flight
        waiting = [pool.submit(call.result) for call in begun]
        wait_until(lambda: sum(call.done() for call in waiting) >= 3)  # the others have been sent, too
        assert local.stop(site)
        assert [call.result().score.shape for call in waiting] == [(64, 4_001)] * 8
    assert not psutil.pid_exists(first.pid)
    assert not local.stop(site)
    assert local.status(site).state == "stopped"

    second = local.start(site)
    assert second.address == first.address, "a stream job must find it again"
    with PredictClient(second.socket) as client:
        assert client.predict("pump", [ASSETS[0]], segment()).version == 1
        os.kill(second.pid, signal.SIGKILL)
        wait_until(lambda: local.status(site).state == "crashed")
        assert sockets.path_of(second.socket).is_socket(), "the socket is stale"
        third = local.start(site)
        assert (third.address, third.socket) == (first.address, first.socket)
        wait_until(lambda: is_answered(client))
    os.kill(third.pid, signal.SIGKILL)
    local.stop(site)  # a killed server cannot remove its socket
    assert not sockets.path_of(third.socket).exists()


def is_answered(client: PredictClient) -> bool:
    try:
        return client.predict("pump", [ASSETS[0]], segment()).version == 1
    except ModelServerError as error:
        assert error.retryable
        return False


def test_the_socket_answers_as_the_port_does_and_is_the_owners_alone(site: Site, versions: Path) -> None:
    deep = site.model_copy(update={"workspace": Path("Werk 100%", *["nested"] * 20)})
    renumbered(versions / "pump" / "1", workspace_of(deep).models / "pump" / "1")
    release(workspace_of(deep).models, "pump", 1)
    try:
        status = local.start(deep)
        path = sockets.path_of(status.socket)
        assert path.parent == sockets.SHORT, "the path of its folder is too long for a socket"
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        rows = segment(8, WINDOW + 63)
        with PredictClient(status.address) as by_port, PredictClient(status.socket) as by_socket:
            np.testing.assert_array_equal(
                by_socket.predict("pump", [ASSETS[0]] * 8, rows).score,
                by_port.predict("pump", [ASSETS[0]] * 8, rows).score,
            )
        assert model_socket(deep) == status.socket
        elsewhere = deep.model_copy(update={"stream": deep.stream.model_copy(update={"flink": "http://flink:8081"})})
        assert model_socket(elsewhere) is None, "Flink may be on another machine"
    finally:
        local.stop(deep)
    assert not path.exists()


def test_what_cannot_be_started_is_refused_in_words(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(EugenieError, match=f"port {port} of the model server is in use"):
            local.start(_with(site, port=port))
    with pytest.raises(EugenieError, match="kubernetes cannot be started from this machine"):
        runtime.start(_with(site, runtime="kubernetes"))
    with pytest.raises(EugenieError, match=r"127\.0\.0\.1:1 does not answer") as away:
        local.start(_with(site, address="127.0.0.1:1"))
    assert away.value.exit_code == ExitCode.UNREACHABLE


def _with(site: Site, **serving: object) -> Site:
    return site.model_copy(update={"serving": site.serving.model_copy(update=serving)})
