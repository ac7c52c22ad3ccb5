"""A server with many models compared with a server with one."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common.plant import CLASS, Plant
from benchmarks.serving.server import large_request
from eugenie_cli.progress import Progress
from eugenie_cli.serving import local, model_info, release_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving.client import PredictClient


def many(site: Site, plant: Plant, models: int, seconds: float, progress: Progress) -> dict[str, Any]:
    """A server with one model, then with many: the time to load them, memory, and the cost of a request."""
    figures: dict[str, Any] = {}
    first = workspace_of(site).models / CLASS
    window, asset = large_request(plant)[:1], [plant.names[0]]
    costs: dict[str, float] = {}
    for label, count in (("1_model", 1), ("many_models", models)):
        local.stop(site)
        for number in range(1, count):
            as_class(first / "1", f"{CLASS}-{number}")
        names = [CLASS, *(f"{CLASS}-{number}" for number in range(1, count))]
        release_config.write(site, {name: ReleasedModel(name, "", (1,), {"champion": 1}) for name in names})
        began = time.monotonic()
        server = local.start(site, progress)
        figures[f"started_s_{label}"] = time.monotonic() - began
        process = psutil.Process(server.pid)
        with PredictClient(server.socket) as client:
            for name in names:
                client.predict(name, asset, window)
            figures[f"memory_mib_{label}"] = process.memory_info().rss / 2**20
            cpu, calls = sum(process.cpu_times()[:2]), 0
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                client.predict(names[calls % count], asset, window)
                calls += 1
            costs[label] = (sum(process.cpu_times()[:2]) - cpu) / calls
        figures[f"cpu_ms_of_a_request_{label}"] = costs[label] * 1_000
    figures["cost_ratio_many_models"] = costs["many_models"] / costs["1_model"]
    figures["models"] = models
    progress.say(f"{models} models: {figures['started_s_many_models']:.1f} s to start")
    return figures


def as_class(version: Path, name: str) -> None:
    """Copy the model as one of another class."""
    copy = version.parent.with_name(name) / version.name
    shutil.copytree(version, copy, dirs_exist_ok=True)
    info = replace(model_info.read(copy), class_name=name)
    (copy / model_info.LOCATION).write_text(model_info.render(info), encoding="utf-8")
