"""Certificates are renewed while the server runs: new connections get what the files hold now, old ones go on."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import grpc

from eugenie_cli.model_server.tls import Loaded, ServerTls

_LOG = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int] | None, ...]
"""Of each file the inode, the instant of its last change and the size; None: it is not there."""


class Certificates:
    """The files of a ServerTls, read again when they change. Those that are no use change nothing, and are logged."""

    def __init__(self, files: ServerTls) -> None:
        """Raises ValueError that says which file is wrong, and how."""
        self._files = files
        self._stamp = self._look()
        self._loaded: Loaded = files.load()

    def for_grpc(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC port."""
        given = self._loaded

        def changed() -> grpc.ServerCertificateConfiguration | None:
            """Asked by gRPC before each handshake, on its own threads."""
            nonlocal given
            latest = self._loaded
            if latest is given:
                return None
            given = latest
            return latest.grpc

        mutual = self._files.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(given.grpc, changed, mutual)

    def for_http(self) -> ssl.SSLContext:
        """A context for a listening socket: each handshake goes on with the latest one."""
        context = self._loaded.http

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _listening: ssl.SSLContext) -> None:
            connection.context = self._loaded.http

        context.sni_callback = choose  # called without a name in the greeting, too
        return context

    async def watch(self, poll_s: float) -> None:
        """Look at the files again and again, without an end."""
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
            _LOG.warning("TLS: %s; new connections get the certificate from before", error)
        else:
            _LOG.info("TLS: new connections get the certificate that is in %s now", self._files.certificate)

    def _look(self) -> Stamp:
        return tuple(map(_stamp, self._files.files))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
