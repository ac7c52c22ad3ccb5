"""`eugenie train`: a model version of each class, from the history."""

from __future__ import annotations

from typing import Annotated

import typer

from eugenie_cli.commands.options import ClassOption, Output, OutputOption, SiteOption
from eugenie_cli.console import Console

EpochsOption = Annotated[int | None, typer.Option("--epochs", min=1, help="Default: the site file's.")]


def train(
    site: SiteOption = None,
    class_name: ClassOption = None,
    epochs: EpochsOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Train each class on its normal history and register the result. The first version becomes champion."""
    from eugenie_cli.site.load import open_site
    from eugenie_cli.training.train import train_class

    console = Console()
    opened = open_site(site)
    trained = [train_class(opened, name, console, epochs=epochs) for name in class_name or opened.classes]
    if output is Output.json:
        console.json(trained)
        return
    console.table(
        ["class", "version", "aliases", "validation loss", "run"],
        [
            (
                done.class_name,
                done.version,
                ", ".join(done.aliases),
                f"{done.metrics['best_validation_loss']:.3f}" if "best_validation_loss" in done.metrics else "-",
                done.run_id,
            )
            for done in trained
        ],
        right=["version", "validation loss"],
    )
