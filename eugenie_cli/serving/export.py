"""Export: publishes a registered version, and has it served if it is its class's champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import model_store, promotion
from eugenie_cli.serving.publish import ExportedModel, publish_class
from eugenie_cli.site.names import listed
from eugenie_cli.site.schema import Site
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registered_version import CHAMPION


def export_classes(
    site: Site, class_names: Sequence[str] | None, version: int | None = None, progress: Progress = SILENT
) -> list[ExportedModel]:
    """Export several classes (None: all classes of the site). A version number requires a single class."""
    names = site.classes_named(class_names)
    if version is not None and len(names) != 1:
        raise EugenieError(
            f"version {version} of which class? ({listed(names)})", "name one with --class", ExitCode.USAGE
        )
    return [export_class(site, name, version, progress) for name in names]


def export_class(site: Site, class_name: str, version: int | None = None, progress: Progress = SILENT) -> ExportedModel:
    """Publish a version of a class (None: the champion), and have model servers serve it if it is the champion.

    Any other version is only published; `promote` has it served. Raises EugenieError as `publish_class`,
    `model_store.copy_to_store` and `promotion.release` do.
    """
    opened = open_class(site, class_name)
    registered = opened.registry.resolve(class_name, CHAMPION if version is None else version)
    if CHAMPION not in registered.aliases:
        published = publish_class(opened, registered.version, progress)
        progress.say(
            f"{class_name} version {registered.version} is served once it is the champion: "
            f"`eugenie models promote {class_name} {registered.version}`"
        )
        return published
    served = promotion.served_champion(site, class_name)
    if served not in (None, registered.version):
        progress.say(
            f"{class_name}: MLflow's champion is version {registered.version}, and version {served} was served; "
            f"`eugenie models promote {class_name} {served}` returns to it"
        )
    published = publish_class(opened, registered.version, progress)
    model_store.copy_to_store(site, class_name, published.version, published.path, progress)
    promotion.release(site, class_name, registered.version, progress)
    return replace(published, released=True)
