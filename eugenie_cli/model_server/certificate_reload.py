"""Renewal of certificates while the server runs: new connections use the files' current content."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import grpc

from eugenie_cli.model_server.tls import Loaded, ServerTls

_LOG = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int] | None, ...]
"""Inode, time of the last change and size of each file; None: the file does not exist."""


class Certificates:
    """The files of a ServerTls, read again when they change. Invalid files are logged and change nothing."""

    def __init__(self, files: ServerTls) -> None:
        """Raises ValueError that names the invalid file and the reason."""
        self._files = files
        self._stamp = self._look()
        self._loaded: Loaded = files.load()

    def for_grpc(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC port."""
        given = self._loaded

        def changed() -> grpc.ServerCertificateConfiguration | None:
            """Called by gRPC before each handshake, on its own threads."""
            nonlocal given
            latest = self._loaded
            if latest is given:
                return None
            given = latest
            return latest.grpc

        mutual = self._files.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(given.grpc, changed, mutual)

    def for_http(self) -> ssl.SSLContext:
        """A context for a listening socket; each handshake switches to the latest context."""
        context = self._loaded.http

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _listening: ssl.SSLContext) -> None:
            connection.context = self._loaded.http

        context.sni_callback = choose  # also called if the client sends no server name
        return context

    async def watch(self, poll_s: float) -> None:
        """Check the files at each interval, until cancelled."""
        while True:
            await asyncio.sleep(poll_s)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Read the files if they have changed since they were last read."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._loaded = self._files.load()
        except ValueError as error:
            _LOG.warning("TLS: %s; new connections still get the previous certificate", error)
        else:
            _LOG.info("TLS: new connections get the new certificate in %s", self._files.certificate)

    def _look(self) -> Stamp:
        return tuple(map(_stamp, self._files.files))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
