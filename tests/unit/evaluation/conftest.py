"""A small plant with history, and a real SavedModel whose scores can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from support.scored_plant import SITE, START, STEP, export, rows_of

from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.training import mlflow_store


@pytest.fixture(scope="session")
def plant(tmp_path_factory) -> Site:
    """A site with imported history of both pumps and an export of model version 3."""
    folder = tmp_path_factory.mktemp("plant")
    file = folder / "plant.yaml"
    file.write_text(SITE.format(workspace=folder / "workspace"))
    site = load_site(file)
    batches = []
    for asset in site.assets:
        rows = rows_of(asset)
        batches += [
            Batch.of(
                (asset, name, START + index * STEP, value)
                for index, value in enumerate(rows[:, column])
                if not np.isnan(value)
            )
            for column, name in enumerate(("pressure", "flow"))
        ]
    open_history(site).commit("test", batches)
    export(folder / "workspace" / "models" / "pump" / "3")
    register(site, "run", "run", "run", "run")
    return site


def register(site: Site, *runs: str) -> None:
    """Register versions of the class from runs that no longer exist."""
    client = mlflow_store.client(site)
    name = mlflow_store.registered_name(site, "pump")
    client.create_registered_model(name)
    for run in runs:
        client.create_model_version(name, str(site.base), run, await_creation_for=0)
