"""TLS of the server's ports, for gRPC and HTTP. The files are checked each time they are read."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class Loaded:
    """Credentials for new connections, from checked files."""

    grpc: grpc.ServerCertificateConfiguration
    http: ssl.SSLContext


@dataclass(frozen=True)
class ServerTls:
    """PEM files. With `client_ca`, callers must present a certificate of that authority (mTLS)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(filter(None, (self.certificate, self.key, self.client_ca)))

    def load(self) -> Loaded:
        """Raises ValueError that names the invalid file and the reason."""
        contents = self._contents()
        context = self._context()
        if self._contents() != contents:
            raise ValueError(f"{self.certificate} or its key or authority changed while they were read")
        certificate, key, *client_ca = contents
        roots = client_ca[0] if client_ca else None
        return Loaded(grpc.ssl_server_certificate_configuration([(key, certificate)], roots), context)

    def _contents(self) -> list[bytes]:
        try:
            return [path.read_bytes() for path in self.files]
        except OSError as error:
            raise ValueError(f"{error.filename} cannot be read: {error.strerror}") from error

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # a resumed session would skip the exchange of certificates, the caller's and the server's
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"{self.certificate} and {self.key} are not a certificate and its key: {error}") from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"{self.client_ca} contains no certificate: {error}") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _no_password() -> str:
    """Refuse a key with a password, which cannot be entered at start."""
    raise ssl.SSLError("the key has a password: use one without, readable only by its owner")
