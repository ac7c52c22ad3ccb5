"""A real InfluxDB, of Debian's package, on a free port of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import requests

from support.debian_packages import unpack

CONFIG = """
bind-address = "127.0.0.1:{backup}"
reporting-disabled = true
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
index-version = "tsi1"
query-log-enabled = false
[coordinator]
max-select-point = {most}
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
flux-enabled = false
[monitor]
store-enabled = false
"""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class InfluxServer:
    """`most`: points that a query may read. The user `reader` may read the database `plant`."""

    def __init__(self, package: Path, folder: Path, most: int = 0) -> None:
        self.port, backup = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._program = next(package.rglob("influxd"))
        self._config = folder / "influxdb.conf"
        self._config.write_text(CONFIG.format(folder=folder, port=self.port, backup=backup, most=most))
        self._folder = folder
        self.start()
        self.run("CREATE USER admin WITH PASSWORD 'secret' WITH ALL PRIVILEGES", login=False)
        self.run("CREATE DATABASE plant")
        self.run("CREATE USER reader WITH PASSWORD 'word'")
        self.run("GRANT READ ON plant TO reader")

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            command = [str(self._program), "run", "-config", str(self._config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        for _ in range(200):
            try:
                requests.get(f"{self.url}/ping", timeout=1)
            except requests.exceptions.ConnectionError:
                assert self.process.poll() is None, (self._folder / "log").read_text()
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def run(self, query: str, *, login: bool = True) -> None:
        credentials = {"u": "admin", "p": "secret"} if login else {}
        answer = requests.post(f"{self.url}/query", {"q": query}, params=credentials, timeout=20)
        answer.raise_for_status()
        assert "error" not in answer.text, answer.text

    def write(self, lines: Sequence[str]) -> None:
        """Points in the line protocol, instants in ns."""
        answer = requests.post(
            f"{self.url}/write",
            "\n".join(lines).encode(),
            params={"db": "plant", "u": "admin", "p": "secret"},
            timeout=20,
        )
        assert answer.status_code == 204, answer.text


def influx_package(folder: Path) -> Path:
    """The unpacked package. Raises debian_packages.Unavailable."""
    unpack(folder, "influxdb")
    return folder
