"""A real MLflow server behind a proxy that can refuse, hang, require credentials or lose a response."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.certificates import Pair

START_S = 90.0
_HOP = {"connection", "transfer-encoding", "content-length", "server", "date"}


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """Start `mlflow server` with its own sqlite store and artifact proxy, and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
                "--backend-store-uri", f"sqlite:///{folder / 'server.db'}",
                "--artifacts-destination", str(folder / "artifacts"),
            ],
            stdout=log, stderr=log, env={**os.environ, **quiet}, cwd=folder, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, port, folder / "server.log")
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(log.read_text())


class Door:
    """A reverse proxy. `shut`: "" passes requests, "refuse" closes the connection, "503" is returned as the status,
    "hang" never responds.

    `authorization`: the header that requests must carry. `lose`: part of a path; the response to its next request is
    lost. `shut_after`: part of a path; after its next request, the door refuses. `seen`: method and path of each
    request. With a certificate, the proxy uses HTTPS.
    """

    def __init__(self, port: int, tls: Pair | None = None) -> None:
        self.shut, self.lose, self.shut_after = "", "", ""
        self.authorization: str | None = None
        self.seen: list[str] = []
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                door._handle(self, port)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.uri = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._opened = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._opened.set()
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, request: BaseHTTPRequestHandler, port: int) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.seen.append(f"{request.command} {request.path}")
        if self.shut == "hang":
            self._opened.wait(60)
        if self.shut in ("refuse", "hang"):
            request.close_connection = True
            return
        if self.shut:
            self._answer(request, int(self.shut), {}, b"not now")
            return
        if self.authorization is not None and request.headers.get("Authorization") != self.authorization:
            self._answer(request, 401, {"WWW-Authenticate": "Basic"}, b"who are you?")
            return
        behind = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        behind.request(request.command, request.path, body, {**headers, "Host": f"127.0.0.1:{port}"})
        answer = behind.getresponse()
        content = answer.read()
        if self.shut_after and self.shut_after in request.path:
            self.shut = "refuse"
        if self.lose and self.lose in request.path:
            self.lose = ""
            request.close_connection = True
            return
        self._answer(request, answer.status, dict(answer.getheaders()), content)
        behind.close()

    def _answer(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes) -> None:
        request.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
