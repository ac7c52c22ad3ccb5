"""Diagnoses why a TLS connection to a model server fails, by opening one.

gRPC reports every certificate that it rejects with the same message, and a server that rejects the client's
certificate only as a closed connection. Interactive commands use this diagnosis; a stream worker logs gRPC's message.
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
"""HTTP/2 client preface with empty settings (RFC 9113, 3.4). A server that accepts the client answers it."""

_SPEAKS_FIRST_S = 0.3
"""Time to wait for the server before sending the greeting. gRPC servers send first, and so do servers that reject a
client. A rejection that crosses with the greeting is lost, because data sent to a closed connection resets it."""

# X509_V_ERR_... of OpenSSL
_NOT_NOW = (9, 10)
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)

_CLIENT_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
"""Parts of the names of TLS alerts that concern the client's certificate."""

_BEFORE_TLS_1_3 = "HANDSHAKE_FAILURE"
"""A generic alert; among other things, TLS 1.2 servers send it to a client that presents no certificate."""

_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
"""OpenSSL's reasons for an answer that is not TLS."""


def refusal(address: str, credentials: Credentials | None, timeout_s: float) -> str:
    """Why TLS fails between the server at `address` and a client with these credentials, as a phrase for a message.

    Empty when the connection succeeds, or fails for a reason other than TLS, for example when nothing listens there.
    """
    host, _, port = address.rpartition(":")
    host = host.rpartition("/")[2].strip("[]")
    if address.startswith(UNIX) or not port.isdecimal():
        return ""
    endpoint = (host, int(port))
    if credentials is None:
        return "it requires TLS" if _certificate_at(endpoint, timeout_s) else ""
    try:
        context = _context(credentials)
    except ValueError as error:
        return str(error)
    greeted = False
    try:
        with (
            socket.create_connection(endpoint, timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls_socket,
        ):
            greeted = True
            return "" if _is_answered(tls_socket, timeout_s) else _client_rejected(credentials, "")
    except ssl.SSLCertVerificationError as error:
        return _server_rejected(error, host, credentials, _certificate_at(endpoint, timeout_s))
    except (ssl.SSLEOFError, ConnectionError):
        return _client_rejected(credentials, "") if greeted else ""
    except ssl.SSLError as error:
        return _explain_alert(str(error.reason), credentials)
    except OSError:
        return ""


def _is_answered(tls_socket: ssl.SSLSocket, timeout_s: float) -> bool:
    """Return False when the server closes the connection without sending anything."""
    tls_socket.settimeout(_SPEAKS_FIRST_S)
    try:
        return bool(tls_socket.recv(1))
    except TimeoutError:
        tls_socket.settimeout(timeout_s)
        tls_socket.sendall(_GREETING)
        return bool(tls_socket.recv(1))


def _context(credentials: Credentials) -> ssl.SSLContext:
    """Build a context that verifies as gRPC does. Raises ValueError that names an unusable file."""
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
            f"{credentials.certificate} and {credentials.key} are not a certificate and its key: {error}"
        ) from error
    return context


def _certificate_at(endpoint: tuple[str, int], timeout_s: float) -> Certificate | None:
    """The certificate that the server presents, unverified; None when it presents none."""
    from cryptography import x509

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(endpoint, timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=endpoint[0]) as tls_socket,
        ):
            der = tls_socket.getpeercert(binary_form=True)
            return None if der is None else x509.load_der_x509_certificate(der)
    except (OSError, ValueError):
        return None


def _server_rejected(
    error: ssl.SSLCertVerificationError, host: str, credentials: Credentials, certificate: Certificate | None
) -> str:
    if error.verify_code in _NOT_NOW:
        why = unusable((certificate,)) if certificate is not None else ""
        return f"its certificate {why}" if why else f"a certificate in its chain is rejected: {error.verify_message}"
    if error.verify_code in _UNKNOWN_ISSUER:
        by = "" if certificate is None else f", but by {certificate.issuer.rfc4514_string()}"
        return f"its certificate is not signed by {credentials.authorities}{by}"
    if error.verify_code in _OTHER_NAME and certificate is not None:
        return f"its certificate is for {_names(certificate) or 'no name'}, not for {host}"
    return f"its certificate is rejected: {error.verify_message}"


def _names(certificate: Certificate) -> str:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return ", ".join(str(name.value) for name in names if isinstance(name, (x509.DNSName, x509.IPAddress)))


def _explain_alert(reason: str, credentials: Credentials) -> str:
    if reason in _NO_TLS:
        return "it does not speak TLS"
    alert = reason.lower().replace("_", " ")
    none_presented = credentials.certificate is None and _BEFORE_TLS_1_3 in reason
    if none_presented or any(part in reason for part in _CLIENT_ALERTS):
        return _client_rejected(credentials, alert)
    return f"the handshake fails: {alert}"


def _client_rejected(credentials: Credentials, alert: str) -> str:
    """`alert`: the reason that the server gives, or empty; a gRPC server closes the connection without one."""
    if credentials.certificate is None:
        return "it requires a client certificate, but none was presented"
    why = unusable(certificates_of(Path(credentials.certificate).read_bytes()))
    if why:
        return f"it rejects {credentials.certificate}, which {why}"
    detail = f" ({alert})" if alert else ""
    return f"it rejects {credentials.certificate}{detail}: it may not trust the authority that signed it"
