"""TLS between a site's model server and those who call it, as the site file says."""

from __future__ import annotations

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import tls_diagnosis
from eugenie_cli.serving.health import ASK_TIMEOUT_S, NO_ANSWER
from eugenie_cli.site.checks.tls import check_tls_files
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.tfserving.client import ModelServerError, PredictClient
from eugenie_cli.tfserving.credentials import Credentials

HINT = "correct serving.tls in the site file, then eugenie config check"


def credentials_of(site: HasServing) -> Credentials | None:
    """What a caller of the site's model server needs on this machine; None: the server speaks no TLS."""
    tls = site.serving.tls
    if tls is None:
        return None
    found = (tls.ca, tls.client_certificate, tls.client_key)
    return Credentials(*(None if path is None else str(site.resolve(path)) for path in found))


def client_of(credentials: Credentials | None, address: str) -> PredictClient:
    """A client of a model server. Raises EugenieError (INVALID_SITE) when a file cannot be read."""
    try:
        return PredictClient(address, credentials)
    except OSError as error:
        raise EugenieError(
            f"serving.tls: {error.filename} cannot be read: {error.strerror}",
            "eugenie config check",
            ExitCode.INVALID_SITE,
        ) from error


def words_of(credentials: Credentials | None, error: ModelServerError) -> str:
    """What a call failed by; where TLS kept it from coming about, why."""
    if not error.tls:
        return str(error)
    why = tls_diagnosis.refusal(error.address, credentials, ASK_TIMEOUT_S) or error.tls
    return f"model server {error.address}: {why}"


def hint(why: str, otherwise: str) -> str:
    """What to do about what `health.why_not_serving` says; `otherwise`: when it is away."""
    return otherwise if why in ("", NO_ANSWER) else HINT


def server_arguments(site: HasServing) -> list[str]:
    """What a server of the site's own is started with: paths. Raises EugenieError (INVALID_SITE) for unusable files."""
    tls = site.serving.tls
    if tls is None:
        return []
    wrong = [f"{'.'.join(map(str, path))}: {message}" for path, message in check_tls_files(site.serving, site.resolve)]
    if wrong:
        raise EugenieError("\n".join(wrong), "eugenie config check", ExitCode.INVALID_SITE)
    flags = {"--tls-certificate": tls.certificate, "--tls-key": tls.key, "--tls-client-ca": tls.client_ca}
    return [part for flag, path in flags.items() if path is not None for part in (flag, str(site.resolve(path)))]
