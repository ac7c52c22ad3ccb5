"""The MLflow store of a site: a local sqlite file in the workspace, or a server."""

from __future__ import annotations

import logging
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.embedded.mlflow import database, lock_of, store_uri
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import alone
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The folder of a run's artifacts that holds the trained detector.
DETECTOR = "detector"
# A server that does not answer at once is not there; MLflow would try for minutes.
_HTTP_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
# Nothing is reported to anybody, and no git is looked for.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}


def is_local(site: Site) -> bool:
    """True for the sqlite store in the workspace."""
    return site.tracking.uri == "local"


def tracking_uri(site: Site) -> str:
    """What MLflow calls the tracking URI."""
    return store_uri(workspace_of(site)) if is_local(site) else site.tracking.uri


def artifact_root(site: Site) -> Path:
    """Where the local store keeps artifacts."""
    return workspace_of(site).mlflow.absolute() / "artifacts"


def registered_name(site: Site, class_name: str) -> str:
    """The class's name in the model registry; the site's name keeps plants apart that share a server."""
    return f"{site.site}.{class_name}"


def client(site: Site) -> MlflowClient:
    """A client of the site's store, which is made if it is local and not there yet.

    Raises EugenieError (UNREACHABLE) when a server does not answer.
    """
    for name, value in (_QUIET | _HTTP_SETTINGS).items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):  # MLflow sets its own levels when it is imported
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = tracking_uri(site)
    if is_local(site):
        artifact_root(site).mkdir(parents=True, exist_ok=True)
    try:
        with alone(lock_of(database(workspace_of(site)))) if is_local(site) else nullcontext():
            made = MlflowClient(tracking_uri=uri, registry_uri=uri)
            made.search_registered_models(max_results=1)
    except MlflowException as problem:
        raise EugenieError(
            f"the tracking store {uri} does not answer: {str(problem).splitlines()[0]}",
            f"check tracking.uri in {site.file}, or use `uri: local`",
            ExitCode.UNREACHABLE,
        ) from problem
    return made


def experiment(site: Site, store: MlflowClient) -> str:
    """The id of the site's experiment, made when it is not there."""
    found = store.get_experiment_by_name(site.experiment)
    if found is not None:
        return str(found.experiment_id)
    location = artifact_root(site).as_uri() if is_local(site) else None
    return str(store.create_experiment(site.experiment, artifact_location=location))
