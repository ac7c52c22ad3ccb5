"""The certificate that a server presents: the one that the site file names, or else one that has not expired."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto import uacrypto
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from eugenie_cli.files import write_atomically
from eugenie_cli.sources.failures import SourceDownError
from eugenie_cli.sources.opcua.certificates import describe, parse_certificate, read_file


async def presented(endpoint: str, policy: str, mode: Any, timeout_s: float) -> x509.Certificate | None:
    """The certificate of an endpoint with this policy (its URI) and mode. Raises UaError if it is not offered."""
    endpoints = await Client(endpoint, timeout=timeout_s).connect_and_get_server_endpoints()
    found: ua.EndpointDescription = Client.find_endpoint(endpoints, mode, policy)
    return uacrypto.x509_from_der(found.ServerCertificate)


def checked(certificate: x509.Certificate | None, endpoint: str, named: Path | None, kept: Path) -> x509.Certificate:
    """The certificate, if it may be used. `named`: the only one that may; `kept`: folder for one that is refused.

    Raises SourceDownError in words, and EugenieError for a file that cannot be read.
    """
    if certificate is None:
        raise SourceDownError(f"{endpoint}: the server has no certificate", "make one on the server, and restart it")
    if named is not None:
        expected = parse_certificate(read_file(named), named)
        if expected != certificate:
            raise SourceDownError(
                f"{endpoint}: the server's certificate is {describe(certificate)}, which is not `server_certificate` of"
                f" the source, {describe(expected, named)}",
                f"if it was renewed, replace the file by {_keep(certificate, kept)}; otherwise something else answers"
                " at this address",
            )
        return certificate
    now = datetime.now(timezone.utc)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= now <= last:
        raise SourceDownError(
            f"{endpoint}: the server's certificate, {describe(certificate)}, is valid from {first:%Y-%m-%d} to"
            f" {last:%Y-%m-%d}",
            "renew it on the server, or correct the clocks; or accept this one as it is: `security:"
            f" {{server_certificate: {_keep(certificate, kept)}}}`",
        )
    return certificate


def _keep(certificate: x509.Certificate, folder: Path) -> Path:
    """Write a certificate that was refused to a file, so that it can be compared or accepted."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{certificate.fingerprint(hashes.SHA1()).hex()}.der"  # noqa: S303 - as servers list it
    write_atomically(file, certificate.public_bytes(serialization.Encoding.DER))
    return file
