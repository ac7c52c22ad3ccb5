"""The MLflow server on the site's local store (`Workspace.mlflow`): sqlite and a folder of artifacts.

`python -m eugenie_cli.engines.mlflow STORE ARGUMENTS...` creates a missing store, and becomes the server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.engines import health, store_location
from eugenie_cli.engines.launcher import Engine, log_file, run_file
from eugenie_cli.engines.ports import LOOPBACK
from eugenie_cli.engines.process import Process, minimal_env, start_detached
from eugenie_cli.locks import exclusive
from eugenie_cli.workspace import Workspace

NAME = "mlflow"
PORTS = ("mlflow",)


def engine(workspace: Workspace, ports: Mapping[str, int]) -> Engine:
    """The site's MLflow server, for its web page and REST API. Training uses the store directly."""
    address = f"http://{LOOPBACK}:{ports['mlflow']}"
    return Engine(
        NAME,
        run_file(workspace, NAME),
        launch=lambda: _launch(workspace, address),
        healthy=lambda: is_healthy(address),
    )


def store_uri(workspace: Workspace) -> str:
    """The tracking URI of the local store."""
    return f"sqlite:///{database(workspace)}"


def database(workspace: Workspace) -> Path:
    """The file of the local store."""
    return workspace.mlflow.absolute() / "mlflow.db"


def lock_of(store: Path) -> Path:
    """The lock held while a store is created: concurrent MLflow migrations corrupt each other's tables."""
    return store.with_name(f".{store.name}.lock")


def is_healthy(address: str) -> bool:
    """True when the server at `address` answers `/health`."""
    return not health.why_no_mlflow(address)


def _launch(workspace: Workspace, address: str) -> Process:
    artifacts = workspace.mlflow.absolute() / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    return start_detached(
        NAME,
        [
            sys.executable, "-m", __name__, str(database(workspace)),
            "--backend-store-uri", store_uri(workspace),
            "--default-artifact-root", artifacts.as_uri(),
            "--no-serve-artifacts",
            "--host", LOOPBACK,
            "--port", address.rpartition(":")[2],
            "--workers", "1",
        ],
        env=minimal_env(
            PATH=os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
            # a plant's server sends no telemetry, and runs nothing but the store and its page
            MLFLOW_DISABLE_TELEMETRY="true",
            DO_NOT_TRACK="true",
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        ),
        log=log_file(workspace, NAME),
        run_file=run_file(workspace, NAME),
        address=address,
        cwd=workspace.mlflow,
    )  # fmt: skip


def main(store: str, arguments: list[str]) -> None:
    """Creates the store if needed, adapts one that was copied or moved, and becomes the server."""
    with exclusive(lock_of(Path(store))):
        store_location.settle(Path(store))
        if not Path(store).exists():
            from mlflow import MlflowClient

            MlflowClient(tracking_uri=f"sqlite:///{store}").search_experiments(max_results=1)
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *arguments])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
