"""BATADAL: a town's water network under attack. A normal year trains, the two later records with attacks are judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.detection.dataset import WINDOWS, Plant, from_one_asset
from benchmarks.detection.row_figures import figures

__all__ = ["NAME", "figures", "load"]

NAME = "batadal"


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The records under `data`/batadal, a row an hour: a window is five days."""
    judged = ("dataset04", "test_dataset")
    return from_one_asset(NAME, "ctown", data / NAME, "dataset03", judged, "1h", {**WINDOWS, **model})
