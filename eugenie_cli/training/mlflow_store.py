"""The MLflow store of a site: a local sqlite file in the workspace, or a server."""

from __future__ import annotations

import logging
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import requests

from eugenie_cli.engines import store_location
from eugenie_cli.engines.mlflow import database, lock_of, store_uri
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import exclusive
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.secrets import without_password
from eugenie_cli.training import credentials
from eugenie_cli.training.store_client import first_line, in_words

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The folder of a run's artifacts that holds the trained detector.
DETECTOR = "detector"
# The lifecycle stage of what MLflow hides but keeps until its garbage collection.
_DELETED = "deleted"
# A server that does not answer quickly counts as unreachable; MLflow's defaults would retry for minutes.
_HTTP_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}
# How long a server may take to answer the first request; a busy one takes a second or two.
_ANSWER_S = 8.0
# The cheapest request that only an MLflow server answers, and only to callers with access.
_PROBE = "/api/2.0/mlflow/registered-models/search"
_UNREACHABLE_FROM, _BUSY = 500, 429
_REFUSALS = {401: "does not know", 403: "denies access to"}
# Disables telemetry, and the search for git.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
# Otherwise MLflow prints the URL of a run in the middle of a command's JSON.
_SILENT = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


def is_local(site: HasTracking) -> bool:
    """True for the sqlite store in the workspace."""
    return site.tracking.uri == "local"


_RESTORE = "restore the workspace's folder mlflow from a backup, or move it away: `eugenie train` then begins a new one"
# How MLflow reports a database of another release of itself.
_OUTDATED = "out-of-date database schema"


class StoreUnreachableError(EugenieError):
    """A tracking server does not answer, or reports that it is unavailable. Spooled runs may be uploaded later."""

    def __init__(self, site: HasTracking, why: str) -> None:
        super().__init__(
            f"the tracking store {shown_uri(site)} does not answer: {why}",
            f"check tracking.uri in {site.file} and that the server is running, or use `uri: local`",
            ExitCode.UNREACHABLE,
        )


def shown_uri(site: HasTracking) -> str:
    """The tracking URI for display, without a password."""
    return without_password(tracking_uri(site))


def tracking_uri(site: HasTracking) -> str:
    """The tracking URI for MLflow."""
    return store_uri(workspace_of(site)) if is_local(site) else site.tracking.uri


def artifact_root(site: HasTracking) -> Path:
    """The folder in which the local store keeps artifacts."""
    return workspace_of(site).mlflow.absolute() / "artifacts"


def registered_name(site: HasTracking, class_name: str) -> str:
    """The class's name in the model registry; the site's name separates plants that share a server."""
    return f"{site.site}.{class_name}"


def client(site: HasTracking) -> MlflowClient:
    """A client of the site's store; creates a local store that does not exist yet.

    Raises StoreUnreachableError within seconds when a server does not answer, and EugenieError (UNREACHABLE) when it
    denies access or is not an MLflow server.
    """
    for name, value in (_QUIET | _SILENT | _HTTP_SETTINGS).items():
        os.environ.setdefault(name, value)
    credentials.show(site)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):  # MLflow sets its own levels when it is imported
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns about every retry
    uri = tracking_uri(site)
    if site.tracking.is_server:
        _probe(site)
        return in_words(MlflowClient(tracking_uri=uri, registry_uri=uri), shown_uri(site))
    if is_local(site):
        _settle(site)
    try:
        with exclusive(lock_of(database(workspace_of(site)))) if is_local(site) else nullcontext():
            direct = MlflowClient(tracking_uri=uri, registry_uri=uri)
            direct.search_registered_models(max_results=1)
    except MlflowException as problem:
        if _OUTDATED in str(problem):
            raise EugenieError(
                f"the tracking store {shown_uri(site)} was written by another release of MLflow",
                f"`mlflow db upgrade {shown_uri(site)}` converts an older one; a newer one needs its release of MLflow",
                ExitCode.REFUSED,
            ) from problem
        raise StoreUnreachableError(site, first_line(problem)) from problem
    return in_words(direct, shown_uri(site))


def _settle(site: HasTracking) -> None:
    """Prepares the local store of a workspace that is new, or was copied or moved. Raises EugenieError for a file that
    is not a database."""
    file = database(workspace_of(site))
    artifact_root(site).mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(lock_of(file)):
            store_location.settle(file)
    except sqlite3.Error as problem:
        raise EugenieError(f"{file} cannot be read: {problem}", _RESTORE) from problem


@contextmanager
def once() -> Iterator[None]:
    """Disables MLflow's own retries in the block: a request whose response was lost may have taken effect."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _probe(site: HasTracking) -> None:
    """Raises EugenieError unless the server answers and grants access."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(
            get_default_host_creds(tracking_uri(site)),
            _PROBE,
            "GET",
            params={"max_results": 1},
            max_retries=0,
            timeout=_ANSWER_S,
            raise_on_status=False,
        )
    except MlflowException as problem:
        message = str(problem)
        if "SSL" in message or "TLS CA certificate" in message:
            raise EugenieError(
                f"{shown_uri(site)} cannot be trusted: {first_line(problem)}",
                "set tracking.ca in the site file to the authority that signed the server's certificate",
                ExitCode.UNREACHABLE,
            ) from problem
        raise StoreUnreachableError(site, _short(problem)) from problem
    status = answer.status_code
    if status in _REFUSALS:
        raise EugenieError(
            f"{shown_uri(site)} {_REFUSALS[status]} {_caller(site)} (HTTP {status})",
            f"check tracking.username and password, or tracking.token, in {site.file}, and the user's rights",
            ExitCode.UNREACHABLE,
        )
    if status >= _UNREACHABLE_FROM or status == _BUSY:
        raise StoreUnreachableError(site, f"HTTP {status}")
    if status != requests.codes.ok:
        raise EugenieError(
            f"{shown_uri(site)} is not an MLflow server: it answers {_PROBE} with HTTP {status}",
            f"check tracking.uri in {site.file}; include the path if the server has one",
            ExitCode.UNREACHABLE,
        )


def _caller(site: HasTracking) -> str:
    tracking = site.tracking
    if tracking.token is not None:
        return "the token of the site file"
    return f"user {tracking.username}" if tracking.username is not None else "callers without credentials"


def _short(problem: BaseException) -> str:
    """The cause behind requests' nested exceptions."""
    message = first_line(problem)
    if "timeout" in message or "timed out" in message:
        return f"no response within {_ANSWER_S:.0f} s"
    return "the connection was refused" if "Connection refused" in message else message


def experiment(site: HasTracking, store: MlflowClient) -> str:
    """The id of the site's experiment, which is created if it does not exist.

    Raises EugenieError (REFUSED) when it was deleted, because MLflow reserves its name but accepts no runs for it, and
    when it keeps artifacts of a local store elsewhere, where a copy of the workspace would not have them.
    """
    existing = store.get_experiment_by_name(site.experiment)
    if existing is None:
        location = artifact_root(site).as_uri() if is_local(site) else None
        return str(store.create_experiment(site.experiment, artifact_location=location))
    number, elsewhere = str(existing.experiment_id), f"set another name as tracking.experiment in {site.file}"
    if existing.lifecycle_stage == _DELETED:
        raise EugenieError(
            f"the experiment {site.experiment} was deleted in {shown_uri(site)}",
            f"restore it: `{command(site, f'experiments restore --experiment-id {number}')}`; or {elsewhere}",
            ExitCode.REFUSED,
        )
    if is_local(site) and not is_below(existing.artifact_location, artifact_root(site)):
        rename = f"experiments rename --experiment-id {number} --new-name {site.experiment}-{number}"
        raise EugenieError(
            f"the experiment {site.experiment} in {shown_uri(site)} was not created by eugenie: it keeps artifacts in "
            f"{existing.artifact_location}, outside of the workspace",
            f"rename it: `{command(site, rename)}`; or {elsewhere}",
            ExitCode.REFUSED,
        )
    return number


def command(site: HasTracking, words: str) -> str:
    """A command line of MLflow's own program, on the site's store."""
    return f"MLFLOW_TRACKING_URI={shlex.quote(shown_uri(site))} mlflow {words}"


def is_below(address: str, folder: Path) -> bool:
    """Whether an artifact's address, a URI or a path, is in the folder."""
    parts = urlsplit(address)
    path = Path(unquote(parts.path))
    return parts.scheme in ("", "file") and (
        path.is_relative_to(folder) or path.resolve().is_relative_to(folder.resolve())
    )
