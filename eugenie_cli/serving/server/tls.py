"""TLS of the server's ports: the files, checked once at the start, for gRPC and for HTTP."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc


@dataclass(frozen=True)
class ServerTls:
    """PEM files. With `client_ca` a caller must show a certificate of that authority (mTLS)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def check(self) -> None:
        """Raises ValueError that says which file is wrong, and how."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for path in filter(None, (self.certificate, self.key, self.client_ca)):
            try:
                path.read_bytes()
            except OSError as error:
                raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except ssl.SSLError as error:
            raise ValueError(f"{self.certificate} and {self.key} are no certificate and its key: {error}") from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError as error:
                raise ValueError(f"{self.client_ca} holds no certificate: {error}") from error

    def for_grpc(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC port."""
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        roots = None if self.client_ca is None else self.client_ca.read_bytes()
        return grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)

    def for_http(self) -> dict[str, Any]:
        """Settings of uvicorn."""
        settings: dict[str, Any] = {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        if self.client_ca is not None:
            settings |= {"ssl_ca_certs": str(self.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
        return settings


def _no_password() -> str:
    """A key with a password is refused: nobody is there to type it."""
    raise ssl.SSLError("the key has a password: give one without, readable by its owner alone")
