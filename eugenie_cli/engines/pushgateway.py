"""Flink's metrics for Prometheus, on loopback: Flink's processes push them here, and Prometheus scrapes them.

    python -m eugenie_cli.engines.pushgateway --port N

Flink's other reporter is a server in each of its processes that always listens on every interface. The pushing reporter
opens no port, and one address serves the JobManager and all TaskManagers.
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
"""A process that has not pushed for this long has ended, and its metrics are out of date."""

LARGEST_PUSH = 64 * 2**20
"""Bytes. A job with a hundred subtasks pushes a tenth of this."""


class Gateway:
    """Holds what each process pushed last, by the path that it pushed to."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pushed: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def push(self, group: str, text: str) -> None:
        """Replaces the metrics of a process, in Prometheus' text format."""
        with self._lock:
            self._pushed[group] = (self._clock(), text)

    def forget(self, group: str) -> None:
        """Removes the metrics of a process that has ended."""
        with self._lock:
            self._pushed.pop(group, None)

    def page(self) -> str:
        """All metrics as one page: each metric's help and type once, then its samples from all processes."""
        now = self._clock()
        with self._lock:
            self._pushed = {
                group: (pushed, text)
                for group, (pushed, text) in self._pushed.items()
                if now - pushed < FORGOTTEN_AFTER_S
            }
            texts = [text for _, text in self._pushed.values()]
        heads: dict[str, list[str]] = {}
        samples: dict[str, list[str]] = {}
        for text in texts:
            for name, line in _lines(text):
                is_head = line.startswith("#")
                known = heads.setdefault(name, [])
                if is_head and not any(head.split(" ", 3)[1] == line.split(" ", 3)[1] for head in known):
                    known.append(line)
                elif not is_head:
                    samples.setdefault(name, []).append(line)
        return "".join(f"{line}\n" for name in samples for line in (*heads[name], *samples[name]))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """(metric, line) of a page. Samples of a summary have longer names than their head, so the head's name is used."""
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
        """A chunked body, which Java sends without a length."""
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
        """Logs nothing, instead of a line for every push."""


def server(port: int, gateway: Gateway) -> ThreadingHTTPServer:
    """The gateway on a port of the loopback interface; 0: any free port."""
    handler = type("Handler", (_Handler,), {"gateway": gateway})
    return ThreadingHTTPServer((HOST, port), handler)


def is_healthy(address: str) -> bool:
    """True when the gateway answers with its page."""
    from eugenie_cli.engines import health  # not in the gateway's own process

    return health.get(address) is not None


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    server(arguments.parse_args().port, Gateway()).serve_forever()
