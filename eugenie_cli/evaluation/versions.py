"""Which model version is meant, and where its SavedModel lies."""

from __future__ import annotations

from pathlib import Path

from eugenie_cli.progress import Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site


def exported(site: Site, class_name: str, version: str | int, progress: Progress) -> Path:
    """The directory of the version (a number, or an alias such as `champion`), exported now if it was not.

    Only the champion is exported to where the model server would load it: evaluating a challenger does not serve it.
    A number says nothing by itself: a registry that begins anew counts from 1 again. So what lies in the directory
    must come from the run that the registry has for the version; a tracking server that is away leaves a number
    unchecked, which is said.

    Raises:
        EugenieError: there is no such version, the export refuses it, or (REFUSED) the directory is of another run.
    """
    from eugenie_cli.serving.publish import check_same, publish_class
    from eugenie_cli.training.mlflow_store import StoreUnreachableError
    from eugenie_cli.training.registry import CHAMPION, Registry

    which = int(version) if str(version).isdecimal() else str(version)
    workspace = workspace_of(site)

    def there(number: int) -> Path | None:
        folders = (models / class_name / str(number) for models in (workspace.models, workspace.candidates))
        return next((folder for folder in folders if folder.is_dir()), None)

    try:
        registered = Registry(site).resolve(class_name, which)
    except StoreUnreachableError as away:
        folder = there(which) if isinstance(which, int) else None
        if folder is None:
            raise
        progress.say(f"{class_name} version {which} is taken as {folder} has it, unchecked: {away.reason}")
        return folder
    folder = there(registered.version)
    if folder is not None:
        check_same(folder, registered)
        return folder
    progress.say(f"export {class_name} version {registered.version}")
    models = workspace.models if CHAMPION in registered.aliases else workspace.candidates
    return Path(publish_class(site, class_name, registered.version, progress, models=models).path)
