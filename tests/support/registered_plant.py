"""A small plant with imported history and registered detectors, without the minutes of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eugenie_cli.detection import network
from eugenie_cli.progress import SILENT
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.training import artifact, mlflow_store, tracking
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registry import Registry
from support import sample_detector

CLASS = """\
site: plant
workspace: work
classes:
  pump:
    sensors: [{name: flow}, {name: pressure}, {name: current}, {name: temperature}, {name: vibration}]
    model: {type: lstm, window: 40, warmup: 20}
assets:
  pump-1: {class: pump}
  pump-2: {class: pump}
  pump-3: {class: pump}
sources:
  - {name: logger, type: csv, path: "*.csv", readings: {shape: wide, ts: {path: ts}, asset: {file: "{stem}"}}}
"""


def register(site: Site, seed: int = 0) -> int:
    with tracking.training_run(open_class(site, "pump")) as run:
        client = mlflow_store.client(site)
        folder = workspace_of(site).root / f"detector-{seed}"
        artifact.save(sample_detector.detector(seed=seed, kind=site.classes["pump"].model.type), folder)
        client.log_param(run.id, "data_fingerprint", "ab12")
        client.log_artifacts(run.id, str(folder), mlflow_store.DETECTOR)
    return Registry(site).register("pump", run.id, run.detector).version


def registered(folder: Path, kind: str = network.LSTM) -> Site:
    """A site with ten minutes of readings of pump-1; its detector, of the type `kind`, is version 1, the champion."""
    (folder / "plant.yaml").write_text(CLASS.replace("type: lstm", f"type: {kind}"))
    detector = sample_detector.detector()
    rows = sample_detector.rows_of(detector, ["pump-1"], 600)[0]
    start = np.datetime64("2026-01-01T00:00:00")
    lines = [
        f"{start + np.timedelta64(second, 's')}Z," + ",".join(f"{value:.4f}" for value in row)
        for second, row in enumerate(rows)
    ]
    (folder / "pump-1.csv").write_text("\n".join(["ts," + ",".join(detector.sensors), *lines]))
    opened = load_site(folder / "plant.yaml")
    import_sources(opened, progress=SILENT)
    register(opened)
    return opened
