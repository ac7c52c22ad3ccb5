"""The certificate with which eugenie connects (OPC 10000-6, 6.2.2): made once for a site, or the user's own."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import write_atomically

VALID = timedelta(days=5 * 365)  # longer than servers are left alone, shorter than they live
KEY_BITS = 2048  # what every policy allows


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as DER or PEM. `uri`: the application URI that the certificate states."""

    certificate: bytes
    key: bytes
    uri: str
    described: str
    """For messages: file, subject and SHA-1, by which servers list it."""


def own_identity(folder: Path, site: str) -> Identity:
    """The site's own certificate in `folder`, which is made if there is none. Raises EugenieError if it has expired."""
    certificate, key = folder / "eugenie.der", folder / "eugenie.key.pem"
    if not (certificate.is_file() and key.is_file()):
        _make(certificate, key, f"urn:{_host()}:eugenie:{site}", f"eugenie {site}")
    return identity(
        certificate, key, renew=f"delete {folder}: the next import makes a new one, which the server must trust"
    )


def identity(certificate: Path, key: Path, *, renew: str = "renew it") -> Identity:
    """A certificate and key from files. Raises EugenieError if they cannot be used."""
    content = read_file(certificate)
    parsed = valid(parse_certificate(content, certificate), certificate, renew)
    uris = _uris(parsed)
    if not uris:
        raise EugenieError(
            f"{certificate} has no application URI among its alternative names",
            "let eugenie make one: leave `certificate` and `key` out",
        )
    return Identity(content, read_file(key), uris[0], describe(parsed, certificate))


def valid(certificate: x509.Certificate, file: Path, renew: str = "renew it") -> x509.Certificate:
    """The certificate. Raises EugenieError if it has expired, or is not valid yet."""
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= datetime.now(timezone.utc) <= last:
        raise EugenieError(f"{file} is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d}", renew)
    return certificate


def describe(certificate: x509.Certificate, file: Path | None = None) -> str:
    """`CN=... (SHA-1 AB:CD...), file`."""
    digest = certificate.fingerprint(hashes.SHA1()).hex(":").upper()  # noqa: S303 - the name of it in servers' lists
    where = f", {file}" if file is not None else ""
    return f"{certificate.subject.rfc4514_string()} (SHA-1 {digest}){where}"


def parse_certificate(content: bytes, file: Path) -> x509.Certificate:
    """PEM or DER. Raises EugenieError."""
    try:
        if is_pem(content):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise EugenieError(f"{file} is not a certificate: {error}", "give a PEM or DER file") from None


def is_pem(content: bytes) -> bool:
    return content.lstrip().startswith(b"-----BEGIN")


def read_file(path: Path) -> bytes:
    """The content of a certificate's or key's file. Raises EugenieError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EugenieError(f"{path} cannot be read: {error.strerror}", "correct the path in the site file") from None


def _make(certificate: Path, key: Path, uri: str, name: str) -> None:
    private = rsa.generate_private_key(65537, KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of servers may be slow
        .not_valid_after(now + VALID)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName(_host())]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=True,
                key_encipherment=True,
                data_encipherment=True,
                key_agreement=False,
                key_cert_sign=True,  # it is signed by itself; some servers check that
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.parent.mkdir(parents=True, exist_ok=True)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomically(key, pem, mode=0o600)
    write_atomically(certificate, made.public_bytes(serialization.Encoding.DER))


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()) or "localhost"
