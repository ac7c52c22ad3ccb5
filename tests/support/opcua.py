"""Starts OPC UA servers for tests, and makes sites that read them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from eugenie_cli.site.schema import Site

URI = "urn:test:plant"
TESTS = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A server process. `endpoint`: where it listens."""

    def __init__(self, process: subprocess.Popen, endpoint: str) -> None:
        self.process, self.endpoint = process, endpoint

    def write(self, values: dict[str, list]) -> int:
        """Write [value, status] by node, now. Returns the instant, ms."""
        self.process.stdin.write(json.dumps(values) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def opcua_server(folder: Path, nodes: dict, **spec):
    """An asyncua server with `nodes` as `support.opcua_server` describes them."""
    port = spec.pop("port", None) or free_port()
    file = folder / f"server-{port}.json"
    file.write_text(json.dumps({"port": port, "nodes": nodes, **spec}))
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-m", "support.opcua_server", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / f"server-{port}.log").open("ab"),
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        ready = process.stdout.readline().strip()
        assert ready == "ready", (folder / f"server-{port}.log").read_text()[-2000:]
        yield Running(process, f"opc.tcp://127.0.0.1:{port}/plant")
    finally:
        process.kill()
        process.wait()


def opcua_site(root: Path, endpoint: str, tags: dict[str, str], **settings) -> Site:
    """A site of one asset `p1`, with a sensor for each tag (sensor -> tag)."""
    source = {"name": "plc", "type": "opcua", "endpoint": endpoint, "start": "2026-01-01T00:00:00Z", **settings}
    site = Site.model_validate(
        {
            "site": "plant",
            "sources": [source],
            "classes": {"pump": {"sensors": [{"name": name} for name in tags], "step": "1s", "max_gap": "5s"}},
            "assets": {"p1": {"class": "pump", "tags": tags}},
        }
    )
    return site.model_copy(update={"base": root})
