"""Versions of a class that its registered model does not know: it was deleted, or the tracking store is another one.

A registry that was recreated counts from 1 again. Its first version is not the class's first, so it must not become
champion without a promotion, and its number must not be that of an export that model servers may have loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eugenie_cli.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

SITE_TAG, CLASS_TAG = "eugenie.site", "eugenie.class"
"""MLflow tags of a run and of the version that it registered."""

VERSION_TAG = "eugenie.model_version"
"""MLflow tag of a run: the version that it registered."""

_FINISHED = "FINISHED"


def latest_exported(workspace: Workspace, class_name: str) -> int:
    """The highest version of the class that the workspace has an export of; 0 without one."""
    folders = [models / class_name for models in (workspace.models, workspace.candidates)]
    names = [path.name for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return max((int(name) for name in names if name.isdecimal()), default=0)


def has_earlier_run(client: MlflowClient, experiment: str, site_name: str, class_name: str, run_id: str) -> bool:
    """Whether a run of the class other than this one, deleted or not, has registered a version."""
    from mlflow.entities import ViewType

    of_class = f"tags.`{SITE_TAG}` = '{site_name}' and tags.`{CLASS_TAG}` = '{class_name}'"
    finished = client.search_runs([experiment], f"{of_class} and attributes.status = '{_FINISHED}'", ViewType.ALL, 2)
    return any(run.info.run_id != run_id for run in finished)
