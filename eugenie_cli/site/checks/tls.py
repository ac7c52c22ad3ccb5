"""Checks that the TLS files of the model server match each other and are usable now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path as File
from typing import TYPE_CHECKING

from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.serving import Serving, ServingTls

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

AT: Path = ("serving", "tls")

Findings = Iterator[tuple[Path, str]]

_SERVER = ("certificate", "key", "client_ca")
"""Files of the server itself, unused if eugenie does not start the server."""

_PAIRS = (("certificate", "key"), ("client_certificate", "client_key"))


def check_tls(serving: Serving) -> Findings:
    """Problems that can be found without reading a file: (path, message)."""
    tls = serving.tls
    if tls is None:
        return
    own = serving.address is None
    for certificate, key in _PAIRS:
        for given, missing in ((certificate, key), (key, certificate)):
            if getattr(tls, given) is not None and getattr(tls, missing) is None:
                yield (*AT, missing), f"is required together with {given}"
    if own and tls.certificate is None and tls.key is None:
        yield (
            (*AT, "certificate"),
            "is required together with key: eugenie starts this server (for another one, set serving.address)",
        )
    if own and tls.client_ca is not None and tls.client_certificate is None:
        yield (*AT, "client_certificate"), "is required together with client_ca: eugenie itself is a client too"


def check_tls_files(serving: Serving, resolve: Callable[[str], File]) -> Findings:
    """Problems of the PEM files: (path, message). Unreadable, of another kind, expired, or not matching."""
    tls = serving.tls
    if tls is None:
        return
    used = [key for key in ServingTls.model_fields if serving.address is None or key not in _SERVER]
    contents: dict[str, bytes] = {}
    for name in used:
        written = getattr(tls, name)
        if written is None:
            continue
        try:
            contents[name] = resolve(written).read_bytes()
        except OSError as error:
            yield (*AT, name), f"{resolve(written)} cannot be read: {error.strerror}"
    certificates = {name: certificates_of(content) for name, content in contents.items() if not name.endswith("key")}
    for name, chain in certificates.items():
        problem = unusable(chain)
        if problem:
            yield (*AT, name), problem
    for certificate, key in _PAIRS:
        if key in contents:
            problem = _wrong_key(contents[key], certificates.get(certificate, ()))
            if problem:
                yield (*AT, key), problem


def certificates_of(content: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file, its owner's first; empty if it contains none."""
    from cryptography import x509

    try:
        return tuple(x509.load_pem_x509_certificates(content))
    except ValueError:
        return ()


def unusable(chain: tuple[Certificate, ...]) -> str:
    """Why the first certificate of a file cannot be used now; empty if it can."""
    if not chain:
        return "contains no certificate in PEM"
    now = datetime.now(timezone.utc)
    first, last = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
    if last < now:
        return f"expired on {last:%Y-%m-%d %H:%M} UTC"
    return f"is not valid before {first:%Y-%m-%d %H:%M} UTC" if first > now else ""


def _wrong_key(content: bytes, chain: tuple[Certificate, ...]) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        return "has a password, which cannot be entered when the server starts"
    except (ValueError, UnsupportedAlgorithm):
        return "contains no private key in PEM"
    if chain and chain[0].public_key() != key.public_key():
        return "does not belong to the certificate"
    return ""
