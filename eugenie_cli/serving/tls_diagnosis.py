"""Why no TLS connection to a model server comes about, found out by trying one.

gRPC says of all certificates that it refuses the same, and of a server that does not take its caller's only that the
connection was closed. For commands, which somebody waits for; a stream worker logs gRPC's words.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.site.checks.tls import certificates_of, unusable
from eugenie_cli.tfserving.credentials import UNIX, Credentials

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What an HTTP/2 client begins with, and empty settings (RFC 9113, 3.4). A server that takes its caller answers it."""

_SPEAKS_FIRST_S = 0.3
"""Before the greeting: gRPC's servers speak unasked, and so do those that refuse a caller. A refusal that crosses with
a greeting is lost, because what is sent to a closed connection resets it."""

# X509_V_ERR_... of OpenSSL
_NOT_NOW = (9, 10)
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)

_OF_CALLERS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
"""In alerts about what the caller showed."""

_BEFORE_TLS_1_3 = "HANDSHAKE_FAILURE"
"""An alert of many uses, among them: the caller showed nothing."""

_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
"""OpenSSL's words for an answer that is not TLS."""


def refusal(address: str, credentials: Credentials | None, timeout_s: float) -> str:
    """What is wrong between the server at `address` and a caller with these credentials, in words.

    Empty when they agree, or when it has nothing to do with TLS: nobody listens there, for example.
    """
    host, _, port = address.rpartition(":")
    host = host.rpartition("/")[2].strip("[]")
    if address.startswith(UNIX) or not port.isdecimal():
        return ""
    place = (host, int(port))
    if credentials is None:
        return "it speaks TLS, and its callers must too" if _certificate_at(place, timeout_s) else ""
    try:
        context = _context(credentials)
    except ValueError as error:
        return str(error)
    greeted = False
    try:
        with (
            socket.create_connection(place, timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host) as spoken,
        ):
            greeted = True
            return "" if _is_answered(spoken, timeout_s) else _of_the_caller(credentials, "")
    except ssl.SSLCertVerificationError as error:
        return _of_the_server(error, host, credentials, _certificate_at(place, timeout_s))
    except (ssl.SSLEOFError, ConnectionError):
        return _of_the_caller(credentials, "") if greeted else ""
    except ssl.SSLError as error:
        return _of_an_alert(str(error.reason), credentials)
    except OSError:
        return ""


def _is_answered(spoken: ssl.SSLSocket, timeout_s: float) -> bool:
    """False when it is closed without a word."""
    spoken.settimeout(_SPEAKS_FIRST_S)
    try:
        return bool(spoken.recv(1))
    except TimeoutError:
        spoken.settimeout(timeout_s)
        spoken.sendall(_GREETING)
        return bool(spoken.recv(1))


def _context(credentials: Credentials) -> ssl.SSLContext:
    """Checks as gRPC does. Raises ValueError that names a file of no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    ca = credentials.ca or ssl.get_default_verify_paths().cafile
    try:
        if ca is not None:
            context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"{ca} holds no certificate: {error}") from error
    try:
        if credentials.certificate is not None:
            context.load_cert_chain(credentials.certificate, credentials.key)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(
            f"{credentials.certificate} and {credentials.key} are no certificate and its key: {error}"
        ) from error
    return context


def _certificate_at(place: tuple[str, int], timeout_s: float) -> Certificate | None:
    """What the server shows, unchecked; None when it shows nothing."""
    from cryptography import x509

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(place, timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=place[0]) as spoken,
        ):
            shown = spoken.getpeercert(binary_form=True)
            return None if shown is None else x509.load_der_x509_certificate(shown)
    except (OSError, ValueError):
        return None


def _of_the_server(
    error: ssl.SSLCertVerificationError, host: str, credentials: Credentials, shown: Certificate | None
) -> str:
    if error.verify_code in _NOT_NOW:
        why = unusable((shown,)) if shown is not None else ""
        return f"its certificate {why}" if why else f"a certificate that signed its own is refused: {_words(error)}"
    if error.verify_code in _UNKNOWN_ISSUER:
        by = "" if shown is None else f", but by {shown.issuer.rfc4514_string()}"
        return f"its certificate is not signed by {credentials.authorities}{by}"
    if error.verify_code in _OTHER_NAME and shown is not None:
        return f"its certificate is for {_names(shown) or 'no name'}, and not for {host}"
    return f"its certificate is refused: {_words(error)}"


def _words(error: ssl.SSLCertVerificationError) -> str:
    return str(error.verify_message)


def _names(certificate: Certificate) -> str:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return ", ".join(str(name.value) for name in found if isinstance(name, (x509.DNSName, x509.IPAddress)))


def _of_an_alert(reason: str, credentials: Credentials) -> str:
    if reason in _NO_TLS:
        return "it does not speak TLS"
    words = reason.lower().replace("_", " ")
    unshown = credentials.certificate is None and _BEFORE_TLS_1_3 in reason
    return _of_the_caller(credentials, words) if unshown or _of_callers(reason) else f"the handshake fails: {words}"


def _of_callers(reason: str) -> bool:
    return any(each in reason for each in _OF_CALLERS)


def _of_the_caller(credentials: Credentials, alert: str) -> str:
    """`alert`: what the server says of it, if it says anything; gRPC's own hangs up without a word."""
    if credentials.certificate is None:
        return "it asks for a certificate of its callers, and is shown none"
    why = unusable(certificates_of(Path(credentials.certificate).read_bytes()))
    if why:
        return f"it does not take {credentials.certificate}, which {why}"
    said = f" ({alert})" if alert else ""
    return f"it does not take {credentials.certificate}{said}: its authority may be unknown there"
