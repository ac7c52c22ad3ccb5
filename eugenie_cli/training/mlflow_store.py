"""The MLflow store of a site: a local sqlite file in the workspace, or a server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from eugenie_cli.engines.mlflow import database, lock_of, store_uri
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import alone
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.secrets import without_password
from eugenie_cli.training import credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The folder of a run's artifacts that holds the trained detector.
DETECTOR = "detector"
# The stage of what MLflow keeps, and gives nobody, until its garbage collection.
_DELETED = "deleted"
# A server that does not answer at once is not there; MLflow would try for minutes.
_HTTP_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}
# How long a server may take to answer the first question; one that is busy takes a second or two.
_ANSWER_S = 8.0
# The least that only an MLflow server answers, and only to those that it lets in.
_QUESTION = "/api/2.0/mlflow/registered-models/search"
_AWAY_FROM, _BUSY = 500, 429
_REFUSALS = {401: "does not know", 403: "does not let in"}
# Nothing is reported to anybody, and no git is looked for.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
# MLflow prints where a run is to be seen, in the middle of a command's JSON.
_SILENT = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


def is_local(site: HasTracking) -> bool:
    """True for the sqlite store in the workspace."""
    return site.tracking.uri == "local"


class StoreUnreachableError(EugenieError):
    """A tracking server does not answer, or answers that it cannot now. What waits for it may be sent later."""

    def __init__(self, site: HasTracking, why: str) -> None:
        super().__init__(
            f"the tracking store {shown_uri(site)} does not answer: {why}",
            f"check tracking.uri in {site.file}, and that the server runs; or use `uri: local`",
            ExitCode.UNREACHABLE,
        )


def shown_uri(site: HasTracking) -> str:
    """The tracking URI as it may be shown: without a password."""
    return without_password(tracking_uri(site))


def tracking_uri(site: HasTracking) -> str:
    """What MLflow calls the tracking URI."""
    return store_uri(workspace_of(site)) if is_local(site) else site.tracking.uri


def artifact_root(site: HasTracking) -> Path:
    """Where the local store keeps artifacts."""
    return workspace_of(site).mlflow.absolute() / "artifacts"


def registered_name(site: HasTracking, class_name: str) -> str:
    """The class's name in the model registry; the site's name keeps plants apart that share a server."""
    return f"{site.site}.{class_name}"


def client(site: HasTracking) -> MlflowClient:
    """A client of the site's store, which is made if it is local and not there yet.

    Raises StoreUnreachableError within seconds when a server does not answer, and EugenieError (UNREACHABLE) when it
    answers that it does not let us in, or is no MLflow server.
    """
    for name, value in (_QUIET | _SILENT | _HTTP_SETTINGS).items():
        os.environ.setdefault(name, value)
    credentials.show(site)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):  # MLflow sets its own levels when it is imported
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # each retry is a warning of its own
    uri = tracking_uri(site)
    if site.tracking.is_server:
        _ask(site)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    if is_local(site):
        artifact_root(site).mkdir(parents=True, exist_ok=True)
    try:
        with alone(lock_of(database(workspace_of(site)))) if is_local(site) else nullcontext():
            made = MlflowClient(tracking_uri=uri, registry_uri=uri)
            made.search_registered_models(max_results=1)
    except MlflowException as problem:
        raise StoreUnreachableError(site, first_line(problem)) from problem
    return made


@contextmanager
def once() -> Iterator[None]:
    """No request of the block is sent twice by MLflow itself: one whose answer was lost may have been obeyed."""
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


def first_line(problem: BaseException) -> str:
    """What is wrong, in a line, without a password of an address."""
    lines = str(problem).splitlines()
    return without_password(lines[0]) if lines else type(problem).__name__


def _ask(site: HasTracking) -> None:
    """Whether the server answers, and lets us in."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(
            get_default_host_creds(tracking_uri(site)),
            _QUESTION,
            "GET",
            params={"max_results": 1},
            max_retries=0,
            timeout=_ANSWER_S,
            raise_on_status=False,
        )
    except MlflowException as problem:
        words = str(problem)
        if "SSL" in words or "TLS CA certificate" in words:
            raise EugenieError(
                f"{shown_uri(site)} cannot be trusted: {first_line(problem)}",
                "tracking.ca of the site file names the authority that signed the server's certificate",
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
    if status >= _AWAY_FROM or status == _BUSY:
        raise StoreUnreachableError(site, f"HTTP {status}")
    if status != requests.codes.ok:
        raise EugenieError(
            f"{shown_uri(site)} is no MLflow server: it answers HTTP {status} to {_QUESTION}",
            f"check tracking.uri in {site.file}: with a path, if the server has one",
            ExitCode.UNREACHABLE,
        )


def _caller(site: HasTracking) -> str:
    tracking = site.tracking
    if tracking.token is not None:
        return "the token of the site file"
    return f"user {tracking.username}" if tracking.username is not None else "callers without credentials"


def _short(problem: BaseException) -> str:
    """The cause that requests tells last, without its own classes around it."""
    words = first_line(problem)
    if "timeout" in words or "timed out" in words:
        return f"nothing came within {_ANSWER_S:.0f} s"
    return "the connection was refused" if "Connection refused" in words else words


def experiment(site: HasTracking, store: MlflowClient) -> str:
    """The id of the site's experiment, made when it is not there.

    Raises EugenieError (REFUSED) when it was deleted: MLflow keeps its name, and takes no run for it.
    """
    found = store.get_experiment_by_name(site.experiment)
    if found is not None and found.lifecycle_stage == _DELETED:
        raise EugenieError(
            f"the experiment {site.experiment} was deleted in {shown_uri(site)}",
            f"restore it (`mlflow experiments restore --experiment-id {found.experiment_id}`), or give another name as "
            f"tracking.experiment in {site.file}",
            ExitCode.REFUSED,
        )
    if found is not None:
        return str(found.experiment_id)
    location = artifact_root(site).as_uri() if is_local(site) else None
    return str(store.create_experiment(site.experiment, artifact_location=location))
