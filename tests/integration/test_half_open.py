"""A network path that drops all packets of the open connection: the client reconnects within seconds.

Uses two network namespaces joined by a pair of interfaces; skipped without the permission to create them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
from support import FOLDER

from eugenie_cli.serving import model_info
from eugenie_cli.serving.server_config import ReleasedModel, model_config_text
from eugenie_cli.tfserving.async_client import AsyncPredictClient
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.errors import ModelServerError

pytestmark = pytest.mark.integration

WINDOW, SENSORS = 8, 3
ROWS = np.ones((1, WINDOW, SENSORS), np.float32)
ADDRESS, THERE, PORT = "10.199.7.1", "10.199.7.2", 8500
AGAIN_WITHIN_S = 60.0
"""Without detection, TCP retries for a quarter of an hour. The limit leaves time for a busy machine."""


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """The name of a network namespace that is reachable as THERE."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    name, here = f"eugenie-{os.getpid()}", f"eug{os.getpid()}"[:15]
    try:
        run("ip", "netns", "add", name)
    except OSError as error:
        pytest.skip(f"cannot create a network namespace: {error}")
    try:
        run("ip", "link", "add", here, "type", "veth", "peer", "name", "inside", "netns", name)
        run("ip", "addr", "add", f"{ADDRESS}/30", "dev", here)
        run("ip", "link", "set", here, "up")
        run("ip", "-n", name, "addr", "add", f"{THERE}/30", "dev", "inside")
        run("ip", "-n", name, "link", "set", "inside", "up")
        yield name
    except OSError as error:
        pytest.skip(f"cannot create a pair of interfaces: {error}")
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=60)
        subprocess.run(["ip", "link", "del", here], capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def server(namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of TensorFlow Serving's API in the namespace, with gRPC's default settings."""
    root = tmp_path_factory.mktemp("half-open")
    version = root / "pump" / "1"
    info = model_info.ModelInfo(
        "pump", 1, ("a", "b", "c"), ("",) * 3, WINDOW, (1,), 1_000, 5_000, ("p",), "run", "data"
    )
    (version / model_info.LOCATION).parent.mkdir(parents=True)
    (version / model_info.LOCATION).write_text(model_info.render(info))
    config = root / "models.config"
    config.write_text(model_config_text([ReleasedModel("pump", str(root / "pump"), (1,))]))
    program = FOLDER / "stand_in_server.py"
    arguments = ["--port", str(PORT), "--model_config_file", str(config)]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, str(program), *arguments], stdout=log, stderr=log
        )
    try:
        with PredictClient(f"{THERE}:{PORT}") as client:
            deadline = time.monotonic() + 120
            while not answers(client):
                assert process.poll() is None and time.monotonic() < deadline, (root / "log").read_text()
                time.sleep(0.1)
        yield f"{THERE}:{PORT}"
    finally:
        process.kill()
        process.wait()


def answers(client: PredictClient) -> bool:
    try:
        return client.predict("pump", ["p"], ROWS, timeout=30).version == 1
    except ModelServerError as error:
        assert error.retryable, error
        return False


def connections() -> set[int]:
    """The local ports of this process's connections to the server."""
    shown = run("ss", "-tnpH", "state", "established", "dst", f"{THERE}:{PORT}").splitlines()
    return {int(line.split()[2].rpartition(":")[2]) for line in shown if f"pid={os.getpid()}," in line}


def swallow(namespace: str, ports: set[int]) -> None:
    """Drop all replies on these connections from now on; new connections work."""
    for port in ports:
        run("ip", "-n", namespace, "rule", "add", "ipproto", "tcp", "dport", str(port), "type", "blackhole")


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss of iproute2 is not installed")
def test_a_client_answers_again_within_seconds(namespace: str, server: str) -> None:
    with PredictClient(server) as client:
        assert answers(client)
        swallow(namespace, connections())
        began = time.monotonic()
        while not answers(client):
            assert time.monotonic() - began < AGAIN_WITHIN_S, "it still waits for the dead connection"


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss of iproute2 is not installed")
def test_a_client_of_an_event_loop_does_too(namespace: str, server: str) -> None:
    async def ask() -> None:
        async with AsyncPredictClient(server) as client:
            await client.predict("pump", ["p"], ROWS)
            swallow(namespace, connections())
            began = time.monotonic()
            while True:
                assert time.monotonic() - began < AGAIN_WITHIN_S, "it still waits for the dead connection"
                try:
                    await client.predict("pump", ["p"], ROWS, timeout=30)
                    return
                except ModelServerError as error:
                    assert error.retryable, json.dumps(str(error))

    asyncio.run(ask())
