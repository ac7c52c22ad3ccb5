"""What OPC UA's status codes and asyncua's exceptions mean for an import, in words that say what to do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError

_C = ua.StatusCodes
_PASSES = frozenset(
    {
        *(_C.BadConnectionClosed, _C.BadSecureChannelClosed, _C.BadSecureChannelIdInvalid, _C.BadServerHalted),
        *(_C.BadSessionIdInvalid, _C.BadSessionClosed, _C.BadSessionNotActivated, _C.BadShutdown),
        *(_C.BadTooManySessions, _C.BadServerNotConnected, _C.BadNotConnected, _C.BadCommunicationError),
        *(_C.BadNoCommunication, _C.BadTcpServerTooBusy, _C.BadTcpNotEnoughResources, _C.BadResourceUnavailable),
        *(_C.BadWaitingForInitialData, _C.BadOutOfService, _C.BadRequestInterrupted, _C.BadTcpInternalError),
        *(_C.BadNoSubscription, _C.BadSubscriptionIdInvalid, _C.BadTooManyPublishRequests),
        *(_C.BadInternalError, _C.BadUnexpectedError),
    }
)
_TOO_MUCH = frozenset(
    {
        *(_C.BadTimeout, _C.BadRequestTimeout, _C.BadResponseTooLarge, _C.BadEncodingLimitsExceeded),
        *(_C.BadTcpMessageTooLarge, _C.BadOutOfMemory, _C.BadRequestCancelledByClient),
    }
)
FEWER_NODES = frozenset({_C.BadTooManyOperations, _C.BadNoContinuationPoints})
"""The query is to have fewer nodes."""
UNAVAILABLE = {
    _C.BadNodeIdUnknown: "the server has no such node",
    _C.BadNodeIdInvalid: "the server has no such node",
    _C.BadNoMatch: "the server has no such node",
    _C.BadHistoryOperationUnsupported: "the server keeps no history of it",
    _C.BadHistoryOperationInvalid: "the server keeps no history of it",
    _C.BadNotReadable: "it cannot be read",
    _C.BadNotSupported: "the server keeps no history of it",
    _C.BadUserAccessDenied: "the user may not read its history",
    _C.BadNotImplemented: "the server keeps no history of it",
    _C.BadAttributeIdInvalid: "it is not a variable",
}
"""Status of a node that no repetition changes, and what it means."""

UNTRUSTED = frozenset({_C.BadSecurityChecksFailed, _C.BadCertificateUntrusted, _C.BadCertificateChainIncomplete})

_REJECTED_FOLDERS = (
    "it keeps those that it rejected: move it from `rejected` to `trusted` in its PKI folder, or choose `trust` in its"
    " configuration (Kepware: OPC UA Configuration, Trusted Clients; Ignition: Config, OPC UA, Security; WinCC and"
    " S7-1500: trusted clients of the certificate manager)"
)


@dataclass(frozen=True)
class Login:
    """What the words name. `certificate`: of eugenie, for people: file, subject and SHA-1; `user`: who logs in."""

    endpoint: str
    certificate: str = ""
    user: str = "anonymous"


def name_of(code: int) -> str:
    """`BadTimeout`, or the number of a code that the standard does not define."""
    try:
        return str(ua.StatusCode(code & 0xFFFF_0000).name)
    except Exception:  # noqa: BLE001 - any code of a vendor
        return f"0x{code:08X}"


def of_query(error: BaseException, endpoint: str) -> EugenieError:
    """An exception of a query, as what helps: waiting, asking for less, or neither."""
    if isinstance(error, EugenieError):
        return error
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return TooMuchError(f"{endpoint} did not answer in time", "raise `pace: {timeout}` of the source")
    if isinstance(error, UaStatusCodeError):
        code, name = int(error.code), name_of(int(error.code))
        if code in _TOO_MUCH:
            return TooMuchError(f"{endpoint} answered {name}", "raise `pace: {timeout}`, or lower `values_per_read`")
        if code in _PASSES:
            return TransientError(f"{endpoint} answered {name}", "see the server's log", ExitCode.UNREACHABLE)
        if code in (_C.BadServiceUnsupported, _C.BadHistoryOperationUnsupported):
            return SourceDownError(
                f"{endpoint} has no Historical Access ({name})", "import exports of its historian instead"
            )
        return EugenieError(f"{endpoint} answered {name}: {error}", "see the server's log")
    if isinstance(error, (ConnectionError, OSError)):
        return TransientError(
            f"{endpoint}: the connection was lost ({error or type(error).__name__})",
            "check that the server runs",
            ExitCode.UNREACHABLE,
        )
    return EugenieError(f"{endpoint}: {type(error).__name__}: {error}", "see the server's log")


def of_connecting(error: BaseException, login: Login) -> EugenieError:
    """An exception of opening the session."""
    endpoint = login.endpoint
    if isinstance(error, EugenieError):
        return error
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return TransientError(f"{endpoint} does not answer", "check host, port and firewall", ExitCode.UNREACHABLE)
    if isinstance(error, UaStatusCodeError):
        code, name = int(error.code), name_of(int(error.code))
        if code in _PASSES or code in _TOO_MUCH:
            return TransientError(f"{endpoint} answered {name}", "see the server's log", ExitCode.UNREACHABLE)
        return _no_session(name, login, code)
    if isinstance(error, OSError):
        return TransientError(
            f"{endpoint} cannot be reached ({error or type(error).__name__})",
            "check `endpoint`, and that the server runs",
            ExitCode.UNREACHABLE,
        )
    return SourceDownError(
        f"{endpoint}: {type(error).__name__}: {error}", "check `endpoint` and `security` of the source"
    )


def refused_channel(login: Login) -> EugenieError:
    """The error for a secure channel that the server refused without a status code of its own."""
    return SourceDownError(
        f"{login.endpoint} refused to open a secure channel: most likely the server does not trust the certificate of"
        f" eugenie, {login.certificate or 'none'}",
        _REJECTED_FOLDERS,
        ExitCode.UNREACHABLE,
    )


def _no_session(name: str, login: Login, code: int) -> EugenieError:
    """The words for a status code with which a server refuses a session."""
    if code in UNTRUSTED and not login.certificate:
        reason, hint = "the server refuses connections without security", _SET_POLICY
    else:
        words = next((words for codes, *words in _CONNECTING if code in codes), None)
        if words is None:
            return SourceDownError(f"{login.endpoint} refused the session: {name}", "see the server's log")
        reason, hint = (text.format(login=login) for text in words)
    return SourceDownError(f"{login.endpoint}: {reason} ({name})", hint, ExitCode.UNREACHABLE)


_SET_POLICY = "set `security`, such as policy Basic256Sha256, of the source"
_CONNECTING = (
    (UNTRUSTED, "the server does not trust the certificate of eugenie, {login.certificate}", _REJECTED_FOLDERS),
    (
        {_C.BadCertificateTimeInvalid, _C.BadCertificateIssuerTimeInvalid},
        "a certificate has expired or is not valid yet, {login.certificate}",
        "renew it; or correct the clocks of both machines",
    ),
    (
        {_C.BadCertificateHostNameInvalid},
        "the host name of a certificate differs from that of its machine, {login.certificate}",
        "write the host name of the server's certificate into `endpoint`; or let eugenie make its own certificate",
    ),
    (
        {_C.BadCertificateUriInvalid},
        "the application URI differs from that of the certificate, {login.certificate}",
        "let eugenie make a certificate: leave `certificate` and `key` out",
    ),
    (
        {
            *(_C.BadCertificateInvalid, _C.BadCertificateUseNotAllowed),
            *(_C.BadCertificateRevoked, _C.BadCertificatePolicyCheckFailed),
        },
        "the server refuses the certificate of eugenie, {login.certificate}",
        "it needs the uses digitalSignature and dataEncipherment, and an RSA key of 2048 bits or more",
    ),
    (
        {_C.BadUserAccessDenied, _C.BadIdentityTokenRejected},
        "the server refuses the user {login.user}",
        "correct name and password under `user` of the source, and the user's rights",
    ),
    (
        {_C.BadIdentityTokenInvalid, _C.BadUserSignatureInvalid},
        "the server does not accept this kind of login ({login.user})",
        "set `user` of the source to a name and password, or a certificate, that the server accepts",
    ),
    (
        {_C.BadSecurityPolicyRejected, _C.BadSecurityModeRejected, _C.BadSecurityModeInsufficient},
        "the server refuses this security policy",
        "set `policy` and `mode` under `security` of the source to what the server offers",
    ),
    (
        {_C.BadTcpEndpointUrlInvalid, _C.BadServerUriInvalid},
        "the server does not know itself by this address",
        "write the address that the server has in its own configuration into `endpoint`",
    ),
)
