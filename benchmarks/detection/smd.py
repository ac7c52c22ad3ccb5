"""SMD: two servers of an internet company; a file for training, which drifts, and a later one with labelled events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.detection.dataset import WINDOWS, Plant, from_pairs
from benchmarks.detection.row_figures import figures

__all__ = ["NAME", "figures", "load"]

NAME = "smd"


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The servers under `data`/smd, a row a minute: a window is two hours."""
    return from_pairs(NAME, data / NAME, "1m", {**WINDOWS, **model})
