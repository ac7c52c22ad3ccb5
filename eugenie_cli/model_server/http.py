"""The HTTP side of the server: uvicorn on the event loop of the gRPC side."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from eugenie_cli.model_server.certificate_reload import Certificates


class _Server(uvicorn.Server):
    """Leaves signals to the process, which ends both sides."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an ASGI application on one port of one host."""

    def __init__(self, application: Any, host: str, port: int, drain_s: float, tls: Certificates | None = None) -> None:
        """Bind the port (0: any free one). After `stop`, responses may take `drain_s` seconds to complete.

        Raises OSError if the port cannot be bound.
        """
        self._socket = _listening(host, port)
        config = uvicorn.Config(
            application,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(drain_s),
            ssl_context_factory=None if tls is None else lambda _config, _default: tls.for_http(),
        )
        self._server = _Server(config)
        self._running: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Start to serve; returns once requests are answered."""
        self._running = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._running.done():
            await asyncio.sleep(0.005)
        if self._running.done():
            await self._running

    async def stop(self) -> None:
        """Complete the responses in flight, and close the port."""
        self._server.should_exit = True
        if self._running is not None:
            await self._running
        self._socket.close()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening
