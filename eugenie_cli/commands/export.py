"""`eugenie export`: publish trained models as SavedModels."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import ClassArgument, ClassOption, Output, OutputOption, SiteOption, both
from eugenie_cli.console import Console

VersionOption = Annotated[
    int | None,
    typer.Option("--model-version", metavar="VERSION", min=1, help="Registered version. Default: the champion."),
]


def export(
    classes: ClassArgument = None,
    site: SiteOption = None,
    class_names: ClassOption = None,
    version: VersionOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Publish the champion of each class for serving. Refuses an export that disagrees with the trained network."""
    from eugenie_cli.serving.export import export_classes
    from eugenie_cli.site.load import open_site

    console = Console()
    exported = export_classes(open_site(site), both(classes, class_names), version, console)
    if output is Output.json:
        console.json(exported)
        return
    rows = [[model.class_name, model.version, model.path, model.largest_difference] for model in exported]
    console.table(["class", "version", "path", "largest difference"], rows, right=["version", "largest difference"])
