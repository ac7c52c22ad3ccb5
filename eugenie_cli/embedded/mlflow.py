"""The MLflow server on the site's local store (`workspace.mlflow`): sqlite and a folder of artifacts."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.embedded.engine import Engine, log_file, run_file
from eugenie_cli.embedded.ports import LOOPBACK
from eugenie_cli.embedded.process import Process, minimal_env, start_detached
from eugenie_cli.workspace import Workspace

NAME = "mlflow"
PORTS = ("mlflow",)

_ASK_TIMEOUT_S = 2.0


def engine(workspace: Workspace, ports: Mapping[str, int]) -> Engine:
    """The site's MLflow server: its page, and its REST API. Training uses the store itself."""
    address = f"http://{LOOPBACK}:{ports['mlflow']}"
    return Engine(
        NAME,
        run_file(workspace, NAME),
        launch=lambda: _launch(workspace, address),
        healthy=lambda: is_healthy(address),
    )


def store_uri(workspace: Workspace) -> str:
    """The tracking URI of the local store."""
    return f"sqlite:///{workspace.mlflow.absolute() / 'mlflow.db'}"


def is_healthy(address: str) -> bool:
    """True when the server at `address` answers `/health`."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=_ASK_TIMEOUT_S) as answer:  # noqa: S310
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _launch(workspace: Workspace, address: str) -> Process:
    artifacts = workspace.mlflow.absolute() / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    return start_detached(
        NAME,
        [
            sys.executable, "-m", "mlflow", "server",
            "--backend-store-uri", store_uri(workspace),
            "--default-artifact-root", artifacts.as_uri(),
            "--no-serve-artifacts",
            "--host", LOOPBACK,
            "--port", address.rpartition(":")[2],
            "--workers", "1",
        ],
        env=minimal_env(
            PATH=os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
            # a plant's server tells nobody that it is used, and runs nothing but the store and its page
            MLFLOW_DISABLE_TELEMETRY="true",
            DO_NOT_TRACK="true",
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        ),
        log=log_file(workspace, NAME),
        run_file=run_file(workspace, NAME),
        address=address,
        cwd=workspace.mlflow,
    )  # fmt: skip
