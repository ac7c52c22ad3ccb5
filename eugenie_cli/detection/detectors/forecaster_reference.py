"""A slow reference implementation of the forecaster's statistic, by its Keras network, window by window."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection import combination, network, residual_variance
from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.covariance import Baseline, distance, impute
from eugenie_cli.detection.detector import MIN_PRESENT, ForecasterDetector
from eugenie_cli.detection.detectors.interfaces import Measured
from eugenie_cli.detection.ewma import SCATTER_SMOOTHING, ewma_kernel, smooth


def measure_forecaster(detector: ForecasterDetector, index: int, rows: Floats) -> Measured:
    """See `interfaces.DetectorType.measure`."""
    window, sensors = detector.window, len(detector.sensors)
    rows = detector.seen(index, rows)
    rows = network.scale(rows.astype(np.float32), detector.mean[index], detector.deviation[index])
    frames = _frames(rows, window)
    expected = _by_window(detector, frames) if _loops(detector) else _by_row(detector, rows)
    late = frames[:, detector.warmup :]
    present = np.isfinite(late)
    kernel = ewma_kernel(detector.residual_rows)
    picked = np.flatnonzero(detector.scored)
    raw, raw_present = (late - expected)[..., picked], present[..., picked]
    error, error_present = smooth(raw, raw_present, kernel)
    level, level_present = smooth(late[..., picked], present[..., picked], kernel)
    relative, recent_present = _relative(detector, index, raw, raw_present)
    _, error_distance = _centre(detector.residual, index, error, error_present)
    _, level_distance = _centre(detector.level, index, level, level_present)

    row_present = np.isfinite(frames).any(axis=-1)
    valid = (row_present.mean(axis=1) >= MIN_PRESENT - 1e-6) & row_present[:, -1]
    valid &= level_present.any(axis=-1) & recent_present.any(axis=-1)
    scatter = residual_variance.statistic(relative, recent_present)
    parts = [error_distance, level_distance, scatter]
    if detector.units_of_parts is None:
        statistic = np.cbrt(np.prod(parts, axis=0))
    else:
        stacked = np.stack([*parts, residual_variance.largest(relative)], axis=-1)
        statistic = combination.combine(stacked, detector.units_of_parts[index])
    statistic = np.where(valid, statistic, np.nan)
    contribution = np.zeros((len(frames), sensors))
    contribution[:, picked] = _share(relative)
    last = expected[:, -1] * detector.deviation[index] + detector.mean[index]
    if detector.used is not None:
        last = np.where(detector.used[index], last, detector.mean[index])
    return Measured(statistic, contribution, last)


def _frames(rows: Floats, length: int) -> Floats:
    """Every `length` consecutive rows: [L, S] -> [L - length + 1, length, S]."""
    return np.stack([rows[start : start + length] for start in range(len(rows) - length + 1)])


def _by_window(detector: ForecasterDetector, frames: Floats) -> Floats:
    """The shortest horizon's forecasts of the last R rows of windows, each from all rows of the window that precede it.

    `frames` float32 [N, M, S], in deviations -> float64 [N, R, S].
    """
    horizon = min(detector.horizons)
    return _forecasts(detector, frames)[:, detector.warmup - horizon : detector.window - horizon]


def _by_row(detector: ForecasterDetector, rows: Floats) -> Floats:
    """The same, each from as many rows as the first of them has: the warm-up, without the rows within the horizon.

    `rows` float32 [L, S], in deviations.
    """
    horizon = min(detector.horizons)
    contexts = _frames(rows[: len(rows) - horizon], detector.warmup - horizon + 1)
    return _frames(_forecasts(detector, contexts)[:, -1], detector.residual_rows)


def _forecasts(detector: ForecasterDetector, scaled: Floats) -> Floats:
    """Forecasts at the shortest horizon after each row: [N, T, S] -> float64 [N, T, S]."""
    model = network.restore(detector.network, len(detector.sensors), len(detector.horizons))
    forecasts = model.predict_on_batch(network.encode(scaled)).astype(np.float64)
    if detector.linear is not None:
        forecasts += detector.linear.forecasts(scaled)
    nearest: Floats = forecasts[:, :, detector.horizons.index(min(detector.horizons))]
    return np.clip(nearest, -network.CLIP, network.CLIP)


def _loops(detector: ForecasterDetector) -> bool:
    return network.kind_of(detector.network) == network.LSTM


def _relative(detector: ForecasterDetector, index: int, error: Floats, present: Bools) -> tuple[Floats, Bools]:
    """Errors [N, R, P] -> each sensor's scatter over its normal scatter and its presence, [N, P]."""
    kernel = ewma_kernel(detector.residual_rows, SCATTER_SMOOTHING)
    offset = detector.scatter.offset[index].astype(np.float64)
    square, enough = smooth((error - offset) ** 2, present, kernel)
    return np.where(enough, square / detector.scatter.normal[index], 0.0), enough


def _centre(baseline: Baseline, index: int, value: Floats, present: Bools) -> tuple[Floats, Floats]:
    """Deviations from normal [N, P], absent ones imputed, and their Mahalanobis distance [N]."""
    centred = np.where(present, value - baseline.mean[index], 0.0)
    filled = impute(centred, present, baseline.precision[index])
    return filled, distance(filled, baseline.whitening[index])


def _share(parts: Floats) -> Floats:
    total = parts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, parts / np.where(total > 0, total, 1.0), 1.0 / parts.shape[-1])
