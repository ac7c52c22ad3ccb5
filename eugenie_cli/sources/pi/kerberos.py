"""Kerberos for the PI Web API: SPNEGO (RFC 4559) as the current user, and in words why it fails."""

from __future__ import annotations

import logging
import re
from typing import Any

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.printable import printable
from eugenie_cli.sources.failures import SourceDownError

_TICKET = "run `kinit`, or set KRB5_CLIENT_KTNAME to a keytab of the user that imports"
_ADVICE = (
    (r"expired", f"the ticket has expired: {_TICKET}"),
    (r"no credentials|credentials? cache|no kerberos cred|not find.*cred", f"there is no ticket: {_TICKET}"),
    (
        r"not found in kerberos database",
        "write the host name that is registered for the PI Web API (`setspn -Q HTTP/*`) into `url` of the source, or"
        " register HTTP/{host}",
    ),
    (r"kdc|realm", "check the realm and its KDC in /etc/krb5.conf, and the network"),
    (r"skew", "correct the clocks of this machine and of the domain"),
)
"""What GSSAPI says -> what to do. Its words, because SPNEGO hides the codes of Kerberos."""


def kerberos_login(where: str) -> Any:
    """What logs requests in, as the current user. `where`: the source. Raises EugenieError without requests-gssapi."""
    try:
        from requests_gssapi import HTTPSPNEGOAuth
        from requests_gssapi.exceptions import SPNEGOExchangeError
    except ImportError as error:
        raise EugenieError(
            f"{where} has no `username`, so it needs Kerberos: {error}",
            "pip install 'eugenie[kerberos]' (it needs Kerberos' libraries), or set `username` and `password` of the"
            " source",
        ) from error
    logging.getLogger("requests_gssapi").setLevel(logging.CRITICAL)  # it would print tracebacks

    class Login(HTTPSPNEGOAuth):  # type: ignore[misc]
        """Raises an error where the package passes on the server's refusal, which does not say why."""

        def generate_request_header(self, response: Any, host: str, is_preemptive: bool = False) -> str:
            try:
                header: str = super().generate_request_header(response, host, is_preemptive)
            except SPNEGOExchangeError as error:
                raise _not_logged_in(where, host, str(error)) from error
            return header

    return Login()


def _not_logged_in(where: str, host: str, said: str) -> SourceDownError:
    major, _, minor = re.sub(r"Major \(\d+\): ", "", said.partition(" failed: ")[2] or said).partition(", Minor (")
    parts = [part for part in (minor.partition("): ")[2].strip("\0 "), major) if part]
    for sign, advice in _ADVICE:
        for part in parts:
            if re.search(sign, part, re.IGNORECASE):
                return _refused(where, host, part, advice)
    return _refused(where, host, ": ".join(parts), _TICKET)


def _refused(where: str, host: str, detail: str, advice: str) -> SourceDownError:
    reason = f"{where}: no Kerberos login at HTTP/{host}: {printable(detail, 300)}"
    return SourceDownError(reason, advice.replace("{host}", host), ExitCode.REFUSED)


def refusal(challenge: str) -> tuple[str, str]:
    """(what a server does that answers 401 to a Kerberos login, what to do). `challenge`: its WWW-Authenticate."""
    if "negotiate" not in challenge.lower():
        offered = printable(challenge, 100) or "nothing"
        return f"offers no Kerberos login, but {offered}", "allow Kerberos there, or set `username` and `password`"
    return (
        "refuses the Kerberos login",
        "check that HTTP/ and the host of `url` are registered for the account that runs the PI Web API (`setspn -Q`),"
        " and that both clocks are right",
    )
