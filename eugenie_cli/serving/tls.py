"""TLS between a site's model server and its clients, as the site file configures it."""

from __future__ import annotations

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import tls_diagnosis
from eugenie_cli.serving.health import ASK_TIMEOUT_S, NO_ANSWER
from eugenie_cli.site.checks.tls import check_tls_files
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.credentials import Credentials
from eugenie_cli.tfserving.errors import ModelServerError

HINT = "correct serving.tls in the site file, then eugenie config check"


def credentials_of(site: HasServing) -> Credentials | None:
    """The credentials of a client of the site's model server on this machine; None: the server does not use TLS."""
    tls = site.serving.tls
    if tls is None:
        return None
    paths = (tls.ca, tls.client_certificate, tls.client_key)
    return Credentials(*(None if path is None else str(site.resolve(path)) for path in paths))


def client_of(credentials: Credentials | None, address: str) -> PredictClient:
    """Create a client of a model server. Raises EugenieError (INVALID_SITE) when a file cannot be read."""
    try:
        return PredictClient(address, credentials)
    except OSError as error:
        raise EugenieError(
            f"serving.tls: {error.filename} cannot be read: {error.strerror}",
            "eugenie config check",
            ExitCode.INVALID_SITE,
        ) from error


def describe_error(credentials: Credentials | None, error: ModelServerError) -> str:
    """The message for a failed call, with a diagnosis when TLS is the cause."""
    if not error.tls:
        return str(error)
    why = tls_diagnosis.refusal(error.address, credentials, ASK_TIMEOUT_S) or error.tls
    return f"model server {error.address}: {why}"


def hint(why: str, otherwise: str) -> str:
    """The hint for a reason of `health.why_not_serving`: `otherwise` for an unreachable server, else about TLS."""
    return otherwise if why in ("", NO_ANSWER) else HINT


def server_arguments(site: HasServing) -> list[str]:
    """The TLS flags, with paths, for the site's own server. Raises EugenieError (INVALID_SITE) for unusable files."""
    tls = site.serving.tls
    if tls is None:
        return []
    errors = [f"{'.'.join(map(str, path))}: {message}" for path, message in check_tls_files(site.serving, site.resolve)]
    if errors:
        raise EugenieError("\n".join(errors), "eugenie config check", ExitCode.INVALID_SITE)
    flags = {"--tls-certificate": tls.certificate, "--tls-key": tls.key, "--tls-client-ca": tls.client_ca}
    return [part for flag, path in flags.items() if path is not None for part in (flag, str(site.resolve(path)))]
