"""Which model version is meant, and where its SavedModel lies."""

from __future__ import annotations

from pathlib import Path

from eugenie_cli.progress import Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site


def exported(site: Site, class_name: str, version: str | int, progress: Progress) -> Path:
    """The directory of the version (a number, or an alias such as `champion`), exported now if it was not.

    Only the champion is exported to where the model server would load it: evaluating a challenger does not serve it.

    Raises:
        EugenieError: there is no such version, or the export refuses it.
    """
    number = int(version) if str(version).isdecimal() else _resolve(site, class_name, str(version))
    workspace = workspace_of(site)
    for models in (workspace.models, workspace.candidates):
        if (models / class_name / str(number)).is_dir():
            return models / class_name / str(number)
    from eugenie_cli.serving.publish import publish_class

    progress.say(f"export {class_name} version {number}")
    champion = number == _resolve(site, class_name, "champion")
    models = workspace.models if champion else workspace.candidates
    return Path(publish_class(site, class_name, number, progress, models=models).path)


def _resolve(site: Site, class_name: str, alias: str) -> int:
    from eugenie_cli.training.registry import Registry

    return int(Registry(site).resolve(class_name, alias).version)
