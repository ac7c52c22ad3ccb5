"""TLS of the server's ports: the files, checked whenever they are read, for gRPC and for HTTP."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class Loaded:
    """What new connections are taken with, from files that were checked."""

    grpc: grpc.ServerCertificateConfiguration
    http: ssl.SSLContext


@dataclass(frozen=True)
class ServerTls:
    """PEM files. With `client_ca` a caller must show a certificate of that authority (mTLS)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(filter(None, (self.certificate, self.key, self.client_ca)))

    def load(self) -> Loaded:
        """Raises ValueError that says which file is wrong, and how."""
        contents = self._contents()
        context = self._context()
        if self._contents() != contents:
            raise ValueError(f"{self.certificate} and what belongs to it changed while they were read")
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
        # who takes up a session is not asked for his certificate again, and does not see the server's
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"{self.certificate} and {self.key} are no certificate and its key: {error}") from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"{self.client_ca} holds no certificate: {error}") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _no_password() -> str:
    """A key with a password is refused: nobody is there to type it."""
    raise ssl.SSLError("the key has a password: give one without, readable by its owner alone")
