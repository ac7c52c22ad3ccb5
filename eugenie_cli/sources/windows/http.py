"""Requests to a server's HTTP API, whose failures say whether to wait, to ask for less, or to give up."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.masking import mask, remember
from eugenie_cli.printable import printable
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError

if TYPE_CHECKING:
    import requests

CONNECT_S = 10.0
SHOWN = 300
"""Characters of a server's answer in an error."""


class HttpSource:
    """A server at `url`. `where`: the source, as errors name it; `ca`: a PEM file, None for the system's authorities;
    `refusal`: the server's challenge -> what it refuses, and what to do, of a login that is not by user or token.

    The proxy settings of the environment are not used: a plant's web proxy does not reach its servers.
    """

    def __init__(
        self,
        url: str,
        where: str,
        auth: Any = None,
        ca: str | None = None,
        refusal: Callable[[str], tuple[str, str]] | None = None,
    ) -> None:
        import requests

        self.url, self._where, self._refusal = url.rstrip("/"), where, refusal
        self.named = f"{where}: {self.url}"
        """The source and its server, as errors begin."""
        if password := urlsplit(url).password:
            remember(unquote(password))
            remember(password)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = auth
        if isinstance(auth, tuple):
            remember(b64encode(":".join(auth).encode()).decode())  # as it is sent: a proxy's error page may show it
        self.session.verify = ca or True

    @contextmanager
    def get(self, path: str, parameters: Mapping[str, Any], timeout_s: float) -> Iterator[requests.Response]:
        """A streamed response, also of an error that `failed` does not know. Read it inside the block."""
        import requests

        try:
            with self.session.get(
                f"{self.url}{path}",
                params=dict(parameters),
                timeout=(CONNECT_S, timeout_s),
                stream=True,
                allow_redirects=False,  # the password is for this server only
            ) as response:
                self._check(response)
                yield response
        except requests.exceptions.SSLError as error:
            raise _distrusted(self.named, _cause(error)) from error
        except requests.exceptions.RequestException as error:
            if _took_too_long(error):
                raise TooMuchError(
                    f"{self.named} did not answer within {timeout_s:g} s",
                    "raise `pace: {timeout: ...}` of the source, or import when the server is idle (`daily`)",
                    ExitCode.UNREACHABLE,
                ) from error
            raise TransientError(
                f"{self.named} cannot be reached: {_cause(error)}",
                "check `url` of the source, and that the server runs",
                ExitCode.UNREACHABLE,
            ) from error
        except OSError as error:  # of a file of authorities that cannot be read
            raise SourceDownError(
                f"{self._where}: {printable(str(error), SHOWN)}", "correct `ca` of the source"
            ) from error

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 401 and self._refusal is not None:
            what, advice = self._refusal(response.headers.get("WWW-Authenticate", ""))
            raise SourceDownError(f"{self.named} {what} (HTTP {status})", advice, ExitCode.REFUSED)
        if status in (401, 403):
            what = "refuses the user name, password or token" if status == 401 else "does not let this user read"
            raise SourceDownError(
                f"{self.named} {what} (HTTP {status}){self._said(response)}",
                "correct the source's credentials, or let the user read this data",
                ExitCode.REFUSED,
            )
        if status in (429, 502, 503):
            raise TransientError(
                f"{self.named} is overloaded or starting (HTTP {status})",
                "lower `pace: {calls_per_second: ...}` of the source, or import later",
                ExitCode.UNREACHABLE,
            )
        if status in (408, 504):
            reason = f"{self.named} gave up the query (HTTP {status})"
            raise TooMuchError(reason, None, ExitCode.UNREACHABLE)
        if 300 <= status < 400:
            raise SourceDownError(
                f"{self.named} redirects to {printable(response.headers.get('Location', ''), SHOWN)}",
                "set `url` of the source to the server itself",
                ExitCode.UNREACHABLE,
            )

    def refused(self, response: requests.Response) -> EugenieError:
        """The error for any other status that is not a success."""
        return EugenieError(
            f"{self.named} answered HTTP {response.status_code}{self._said(response)}",
            "check the settings of the source",
        )

    def _said(self, response: requests.Response) -> str:
        """What the server says, as far as it can be read: the status alone decides what helps."""
        from urllib3.exceptions import HTTPError

        try:
            text = response.raw.read(SHOWN * 4, decode_content=True).decode("utf-8", "replace").strip()
        except (HTTPError, OSError):
            return ""
        return f": {printable(mask(text), SHOWN)}" if text else ""  # a secret that is cut would not be recognised

    def close(self) -> None:
        self.session.close()


def _took_too_long(error: requests.exceptions.RequestException) -> bool:
    """Whether a response did not begin in time, or stopped in its middle."""
    import requests
    from urllib3.exceptions import ReadTimeoutError

    cause = error.args[0] if error.args else None  # requests reports the latter as any lost connection
    return isinstance(error, requests.exceptions.ReadTimeout) or isinstance(cause, ReadTimeoutError)


def _distrusted(where: str, cause: str) -> SourceDownError:
    """The error for a TLS connection that was not made."""
    said = cause.lower()
    if "expired" in said or "not yet valid" in said:
        hint = "renew the server's certificate, or correct the clocks of both machines"
    elif "mismatch" in said or "doesn't match" in said:
        hint = "write the host name of the server's certificate into `url` of the source"
    elif "certificate" in said:
        hint = "set `ca` of the source to the PEM file of the authority that signed it"
    else:
        return SourceDownError(
            f"{where} does not speak TLS: {cause}", "check `url` of the source", ExitCode.UNREACHABLE
        )
    return SourceDownError(f"{where}: its certificate is not trusted: {cause}", hint, ExitCode.UNREACHABLE)


def _cause(error: BaseException) -> str:
    """The innermost reason, without the addresses of Python objects."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return printable(str(error), SHOWN)
