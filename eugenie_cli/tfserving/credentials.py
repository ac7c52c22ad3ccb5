"""TLS credentials for a model server. Ships to stream workers: grpcio and the standard library only."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

UNIX = ("unix:", "unix-abstract:")
"""Addresses of unix sockets: file permissions guard them, and they never use TLS."""


@dataclass(frozen=True)
class Credentials:
    """Paths of PEM files, so that no key is in a specification, a log or an argument. Each new channel reads them.

    `ca`: authorities that verify the server's certificate; None: the system's. `certificate` and `key`: the caller's,
    for servers that require one (mTLS).
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def authorities(self) -> str:
        """The authorities that verify the server, for messages."""
        return self.ca or "the system's authorities"

    def read(self) -> grpc.ChannelCredentials:
        """Read the files. Raises OSError that names the file."""
        ca = self.ca or ssl.get_default_verify_paths().cafile
        return grpc.ssl_channel_credentials(*(_content(path) for path in (ca, self.key, self.certificate)))


def trouble(details: str, address: str, credentials: Credentials | None) -> str:
    """The TLS cause of a failed connection, from gRPC's message; empty: none.

    A TLS server hangs up on a caller that does not use TLS, and on one without the certificate that it requires.
    """
    if address.startswith(UNIX):
        return ""
    if "CERTIFICATE_VERIFY_FAILED" in details:
        checked_by = (credentials or Credentials()).authorities
        return f"its certificate is not signed by {checked_by}, or has expired"
    if "is not in peer certificate" in details:
        return "its certificate is for other names"
    if "WRONG_VERSION_NUMBER" in details:
        return "it does not speak TLS"
    if "failed to connect" in details and "Socket closed" in details:
        if credentials is None:
            return "it hung up: it may speak TLS"
        if credentials.certificate is None:
            return "it hung up: it may require a certificate from its callers"
        return f"it hung up: it may reject {credentials.certificate}"
    return ""


def _content(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
