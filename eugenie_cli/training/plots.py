"""Plots of a training run, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.training.calibration_scores import JudgedRows
from eugenie_cli.training.fit import Epoch
from eugenie_cli.training.learning_rate import Search

# A plot of hundreds of assets would be unreadable.
MOST_ASSETS = 12
# Residuals beyond this many deviations share one colour, so that a single extreme does not wash out the others.
MOST_DEVIATIONS = 4.0


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


def search(result: Search, path: Path) -> None:
    """The smoothed loss at every learning rate tried, and the rate chosen."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(result.rates, result.losses)
    axes.axvline(result.rate, color="tab:red", linewidth=1, label=f"chosen: {result.rate:g}")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.5 * result.losses[0])
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


def scores(judged: Sequence[JudgedRows], path: Path) -> None:
    """The score of each asset's newest calibration rows over time, with the threshold at 1."""
    figure = Figure(figsize=(9, 1 + 1.4 * len(judged)), layout="constrained")
    rows = np.atleast_1d(figure.subplots(len(judged), 1))
    for axes, asset_rows in zip(rows, judged, strict=True):
        axes.plot(asset_rows.edges.astype("datetime64[ms]"), asset_rows.score, linewidth=0.7)
        axes.axhline(1.0, color="tab:red", linewidth=1)
        axes.set_ylabel(asset_rows.asset, fontsize=8)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=7)
    figure.suptitle("score of the newest calibration rows, highest peaks first", fontsize=9)
    rows[-1].set_xlabel("UTC; the line at 1 is the threshold")
    FigureCanvasAgg(figure).print_png(path)


def residuals(judged: Sequence[JudgedRows], sensors: Sequence[str], path: Path) -> None:
    """Residuals as heat maps: sensors by time for the asset with the highest score, and sensors by assets."""
    first = judged[0]
    figure = Figure(figsize=(9, 2 + 0.5 * len(sensors)), layout="constrained")
    above, below = figure.subplots(2, 1)
    limit = {"vmin": -MOST_DEVIATIONS, "vmax": MOST_DEVIATIONS}
    step = int(np.diff(first.edges).min()) if len(first.edges) > 1 else 1
    times = np.append(first.edges, first.edges[-1] + step).astype("datetime64[ms]")
    shown = above.pcolormesh(times, np.arange(len(sensors) + 1), first.residual.T, cmap="RdBu_r", **limit)
    figure.colorbar(shown, ax=above, label="deviations")
    above.set_title(f"{first.asset}: row minus expected row (UTC)", fontsize=9)
    sizes = np.stack([_size(asset_rows.residual) for asset_rows in judged], axis=1)
    shown = below.imshow(sizes, aspect="auto", origin="lower", cmap="Reds", vmin=0)
    figure.colorbar(shown, ax=below, label="mean size, deviations")
    below.set_xticks(range(len(judged)), [asset_rows.asset for asset_rows in judged], fontsize=7)
    below.set_yticks(range(len(sensors)), sensors, fontsize=7)
    above.set_yticks(np.arange(len(sensors)) + 0.5, sensors, fontsize=7)
    above.tick_params(axis="x", labelsize=7)
    FigureCanvasAgg(figure).print_png(path)


def _size(residual: Floats) -> Floats:
    """The mean size by sensor, [N, S] -> [S]; NaN for a sensor without values."""
    known = np.isfinite(residual)
    total = np.where(known, np.abs(residual), 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
