"""Resolves a model version and the directory of its SavedModel."""

from __future__ import annotations

from pathlib import Path

from eugenie_cli.progress import Progress
from eugenie_cli.training.open_class import OpenClass


def exported(opened: OpenClass, version: str | int, progress: Progress) -> Path:
    """The directory of the version (a number, or an alias such as `champion`), exported first if necessary.

    Only the champion is exported to where the model server would load it: evaluating a challenger does not serve it.
    A version number alone proves nothing, because a recreated registry counts from 1 again. So the directory must come
    from the run that the registry records for the version. If the tracking server is unreachable, a number is not
    checked; a message reports it.

    Raises:
        EugenieError: the version does not exist, the export refuses it, or (REFUSED) the directory is from another run.
    """
    from eugenie_cli.serving.publish import check_same, publish_class
    from eugenie_cli.training.mlflow_store import StoreUnreachableError
    from eugenie_cli.training.registered_version import CHAMPION

    number_or_alias = int(version) if str(version).isdecimal() else str(version)
    class_name, workspace = opened.name, opened.workspace

    def existing(number: int) -> Path | None:
        folders = (models / class_name / str(number) for models in (workspace.models, workspace.candidates))
        return next((folder for folder in folders if folder.is_dir()), None)

    try:
        registered = opened.registry.resolve(class_name, number_or_alias)
    except StoreUnreachableError as error:
        folder = existing(number_or_alias) if isinstance(number_or_alias, int) else None
        if folder is None:
            raise
        progress.say(f"{class_name} version {number_or_alias} is used unchecked from {folder}: {error.reason}")
        return folder
    folder = existing(registered.version)
    if folder is not None:
        check_same(folder, registered)
        return folder
    progress.say(f"export {class_name} version {registered.version}")
    models = workspace.models if CHAMPION in registered.aliases else workspace.candidates
    return Path(publish_class(opened, registered.version, progress, models=models).path)
