"""Whether the TLS files of the model server agree with each other, and whether they can be used now."""

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
"""What the server itself needs: of no use for a server that eugenie does not start."""

_PAIRS = (("certificate", "key"), ("client_certificate", "client_key"))


def check_tls(serving: Serving) -> Findings:
    """(path, what is wrong) that can be said without looking at a file."""
    tls = serving.tls
    if tls is None:
        return
    own = serving.address is None
    for certificate, key in _PAIRS:
        for given, missing in ((certificate, key), (key, certificate)):
            if getattr(tls, given) is not None and getattr(tls, missing) is None:
                yield (*AT, missing), f"is required beside {given}"
    if own and tls.certificate is None and tls.key is None:
        yield (
            (*AT, "certificate"),
            "is required, and so is key: eugenie starts this server (serving.address names another)",
        )
    if own and tls.client_ca is not None and tls.client_certificate is None:
        yield (*AT, "client_certificate"), "is required beside client_ca: eugenie itself is a caller too"


def check_tls_files(serving: Serving, resolve: Callable[[str], File]) -> Findings:
    """(path, what is wrong) of the PEM files: unreadable, of another kind, expired, a key of another certificate."""
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
    for name, found in certificates.items():
        problem = unusable(found)
        if problem:
            yield (*AT, name), problem
    for certificate, key in _PAIRS:
        if key in contents:
            problem = _wrong_key(contents[key], certificates.get(certificate, ()))
            if problem:
                yield (*AT, key), problem


def certificates_of(content: bytes) -> tuple[Certificate, ...]:
    """Those of a PEM file, its owner's first; none when it holds none."""
    from cryptography import x509

    try:
        return tuple(x509.load_pem_x509_certificates(content))
    except ValueError:
        return ()


def unusable(found: tuple[Certificate, ...]) -> str:
    """What keeps a certificate, the first of its file, from being used now; empty: nothing."""
    if not found:
        return "holds no certificate in PEM"
    now = datetime.now(timezone.utc)
    first, last = found[0].not_valid_before_utc, found[0].not_valid_after_utc
    if last < now:
        return f"expired on {last:%Y-%m-%d %H:%M} UTC"
    return f"is valid from {first:%Y-%m-%d %H:%M} UTC on" if first > now else ""


def _wrong_key(content: bytes, found: tuple[Certificate, ...]) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        return "has a password: nobody is there to type it when the server starts"
    except (ValueError, UnsupportedAlgorithm):
        return "holds no private key in PEM"
    if found and found[0].public_key() != key.public_key():
        return "does not belong to the certificate"
    return ""
