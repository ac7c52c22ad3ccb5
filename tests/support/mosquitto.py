"""A real MQTT broker, Debian's mosquitto, on a free port of this machine. It can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from eugenie_cli.engines.ports import is_free
from support.debian_packages import unpack

STARTED_WITHIN_S = 20


class Mosquitto:
    """`lines`: of its configuration, besides the port. The folder keeps sessions over a restart."""

    def __init__(self, package: Path, folder: Path, lines: str) -> None:
        self.port = _free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._package, self._folder = package, folder
        self._program = next(package.rglob("sbin/mosquitto"))
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            f"autosave_interval 1\nmax_queued_messages 0\nuser root\n{lines}\n"
        )
        self.start()

    @property
    def plugins(self) -> Path:
        return next(self._package.rglob("mosquitto_dynamic_security.so"))

    def start(self) -> None:
        libraries = {str(path.parent) for path in self._package.rglob("*.so*")}
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(libraries))}
        with (self._folder / "log").open("ab") as log:
            command = [str(self._program), "-c", str(self._config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + STARTED_WITHIN_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            assert self.process.poll() is None and time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """In order: it writes the sessions to disk."""
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def mosquitto(folder: Path, package: Path, lines: str = "allow_anonymous true") -> Iterator[Mosquitto]:
    """`package`: from `mosquitto_package`."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Mosquitto(package, folder, lines)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def mosquitto_package(folder: Path) -> Path:
    """A folder with the program. Raises debian_packages.Unavailable."""
    own = shutil.which("mosquitto")
    if own is not None and list(Path("/usr/lib").rglob("mosquitto_dynamic_security.so")):
        for name in ("lib", "sbin"):
            (folder / name).mkdir(parents=True)
        (folder / "sbin" / "mosquitto").symlink_to(own)
        plugin = next(Path("/usr/lib").rglob("mosquitto_dynamic_security.so"))
        (folder / "lib" / plugin.name).symlink_to(plugin)
        return folder
    unpack(folder, "mosquitto")
    return folder


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if is_free(port):
            return port
