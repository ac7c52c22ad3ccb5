"""Pictures of a training run, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.trained import TrainedDetector
from eugenie_cli.training.fit import Epoch
from eugenie_cli.training.rate import Search

# A class of hundreds of assets would give a picture that nobody can read.
MOST_ASSETS = 12


def losses(epochs: Sequence[Epoch], path: Path) -> None:
    """Training and validation loss by epoch."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([epoch.number + 1 for epoch in epochs], [epoch.loss for epoch in epochs], label="training")
    axes.plot([epoch.number + 1 for epoch in epochs], [epoch.validation for epoch in epochs], label="validation")
    axes.set_xlabel("epoch")
    axes.set_ylabel("Huber loss of the forecasts")
    axes.legend()
    FigureCanvasAgg(figure).print_png(path)


def search(found: Search, path: Path) -> None:
    """The smoothed loss at every learning rate that was tried, and the one taken."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses)
    axes.axvline(found.rate, color="tab:red", linewidth=1, label=f"taken: {found.rate:g}")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.5 * found.losses[0])
    axes.set_xlabel("learning rate")
    axes.set_ylabel("Huber loss of the forecasts, smoothed")
    axes.legend()
    FigureCanvasAgg(figure).print_png(path)


def calibration(detector: TrainedDetector, statistic: Sequence[Floats], path: Path) -> None:
    """The score over each asset's calibration block, with the threshold at 1."""
    shown = min(len(detector.assets), MOST_ASSETS)
    figure = Figure(figsize=(9, 1 + 1.4 * shown), layout="constrained")
    rows = np.atleast_1d(figure.subplots(shown, 1))
    for axes, asset, values, threshold in zip(rows, detector.assets, statistic, detector.threshold, strict=False):
        axes.plot(values / threshold, linewidth=0.7)
        axes.axhline(1.0, color="tab:red", linewidth=1)
        axes.set_ylabel(asset, fontsize=8)
        axes.set_ylim(bottom=0)
    rows[-1].set_xlabel("row of the calibration block; the line at 1 is the threshold")
    FigureCanvasAgg(figure).print_png(path)
