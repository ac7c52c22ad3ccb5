"""Flink's metrics for Prometheus, on loopback: Flink's processes push them here, and Prometheus collects them.

    python -m eugenie_cli.engines.pushgateway --port N

Flink's other reporter is a server in each of its processes, which listens on every interface and cannot be told
otherwise. The one that pushes listens nowhere, and one address serves the JobManager and every TaskManager.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
PUSHES = "/metrics/job/"
PAGE = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

PUSH_EVERY_S = 10
FORGOTTEN_AFTER_S = 6 * PUSH_EVERY_S
"""A process that has not pushed for so long is gone, and its metrics would be false."""

LARGEST_PUSH = 64 * 2**20
"""Bytes. A job of a hundred subtasks has a tenth of it."""


class Gateway:
    """What each process pushed last, under the path that it pushed to."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pushed: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def push(self, group: str, text: str) -> None:
        """Replace what a process pushed, in Prometheus' text format."""
        with self._lock:
            self._pushed[group] = (self._clock(), text)

    def forget(self, group: str) -> None:
        """A process has ended."""
        with self._lock:
            self._pushed.pop(group, None)

    def page(self) -> str:
        """All of it as one page: each metric's help and type once, then its samples from every process."""
        now = self._clock()
        with self._lock:
            self._pushed = {key: one for key, one in self._pushed.items() if now - one[0] < FORGOTTEN_AFTER_S}
            texts = [text for _, text in self._pushed.values()]
        heads: dict[str, list[str]] = {}
        samples: dict[str, list[str]] = {}
        for text in texts:
            for name, line in _lines(text):
                is_head = line.startswith("#")
                there = heads.setdefault(name, [])
                if is_head and not any(one.split(" ", 3)[1] == line.split(" ", 3)[1] for one in there):
                    there.append(line)
                elif not is_head:
                    samples.setdefault(name, []).append(line)
        return "".join(f"{line}\n" for name in samples for line in (*heads[name], *samples[name]))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """(metric, line) of a page. The samples of a summary have longer names than its head: the head's counts."""
    family = ""
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            family = line.split(" ", 3)[2]
            yield family, line
        elif line and not line.startswith("#"):
            name = line.split("{", 1)[0].split(" ", 1)[0]
            yield family if family and name.startswith(family) else name, line


class _Handler(BaseHTTPRequestHandler):
    gateway: Gateway

    def do_GET(self) -> None:
        if self.path != PAGE:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(HTTPStatus.OK, self.gateway.page().encode())

    def do_PUT(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if not self.path.startswith(PUSHES) or size > LARGEST_PUSH:
            self._answer(HTTPStatus.NOT_FOUND if size <= LARGEST_PUSH else HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(size) if size else self._chunks()
        self.gateway.push(self.path, body.decode("utf-8", "replace"))
        self._answer(HTTPStatus.ACCEPTED)

    do_POST = do_PUT  # noqa: N815 - the names that the base class calls

    def do_DELETE(self) -> None:
        self.gateway.forget(self.path)
        self._answer(HTTPStatus.ACCEPTED)

    def _chunks(self) -> bytes:
        """A body of which Java did not say the length."""
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if len(body) > LARGEST_PUSH:
                break
        return bytes(body)

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Not a line for every push."""


def server(port: int, gateway: Gateway) -> ThreadingHTTPServer:
    """The gateway on a port of the loopback interface; 0: any free one."""
    handler = type("Handler", (_Handler,), {"gateway": gateway})
    return ThreadingHTTPServer((HOST, port), handler)


def is_healthy(address: str) -> bool:
    """True when the gateway's page is there."""
    from eugenie_cli.engines import health  # not in the gateway's own process

    return health.get(address) is not None


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    server(arguments.parse_args().port, Gateway()).serve_forever()
