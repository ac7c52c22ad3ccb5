"""A slow reference implementation of the forecaster's statistic, by its Keras network, window by window."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection import network, residual_variance
from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.covariance import Baseline, distance, impute
from eugenie_cli.detection.detector import MIN_PRESENT, LstmDetector
from eugenie_cli.detection.detectors.interfaces import Measured
from eugenie_cli.detection.ewma import SCATTER_SMOOTHING, ewma_kernel, smooth


def measure_lstm(detector: LstmDetector, index: int, rows: Floats) -> Measured:
    """See `interfaces.DetectorType.measure`."""
    window, sensors = detector.window, len(detector.sensors)
    rows = detector.seen(index, rows)
    frames = np.stack([rows[start : start + window] for start in range(len(rows) - window + 1)])
    scaled = network.scale(frames.astype(np.float32), detector.mean[index], detector.deviation[index])
    expected = _forecasts_of_rows(detector, scaled)
    late = scaled[:, detector.warmup :]
    present = np.isfinite(late)
    kernel = ewma_kernel(detector.residual_rows)
    picked = np.flatnonzero(detector.scored)
    raw, raw_present = (late - expected)[..., picked], present[..., picked]
    error, error_present = smooth(raw, raw_present, kernel)
    level, level_present = smooth(late[..., picked], present[..., picked], kernel)
    relative, scatter, recent_present = _scatter(detector, index, raw, raw_present)
    _, error_distance = _centre(detector.residual, index, error, error_present)
    _, level_distance = _centre(detector.level, index, level, level_present)

    row_present = np.isfinite(frames).any(axis=-1)
    valid = (row_present.mean(axis=1) >= MIN_PRESENT - 1e-6) & row_present[:, -1]
    valid &= level_present.any(axis=-1) & recent_present.any(axis=-1)
    statistic = np.where(valid, np.cbrt(error_distance * level_distance * scatter), np.nan)
    contribution = np.zeros((len(frames), sensors))
    contribution[:, picked] = _share(relative)
    last = expected[:, -1] * detector.deviation[index] + detector.mean[index]
    if detector.used is not None:
        last = np.where(detector.used[index], last, detector.mean[index])
    return Measured(statistic, contribution, last)


def _forecasts_of_rows(detector: LstmDetector, scaled: Floats) -> Floats:
    """The shortest horizon's forecasts of the last R rows.

    `scaled` float32 [N, M, S] -> float64 [N, R, S].
    """
    model = network.restore(detector.network, len(detector.sensors), len(detector.horizons))
    forecasts = np.clip(model.predict_on_batch(network.encode(scaled)), -network.CLIP, network.CLIP)
    horizon = min(detector.horizons)
    nearest: Floats = forecasts[
        :, detector.warmup - horizon : detector.window - horizon, detector.horizons.index(horizon)
    ].astype(np.float64)
    return nearest


def _scatter(detector: LstmDetector, index: int, error: Floats, present: Bools) -> tuple[Floats, Floats, Bools]:
    """Errors [N, R, P] -> each sensor's scatter over its normal scatter [N, P], the statistic [N], presence [N, P]."""
    kernel = ewma_kernel(detector.residual_rows, SCATTER_SMOOTHING)
    offset = detector.scatter.offset[index].astype(np.float64)
    square, enough = smooth((error - offset) ** 2, present, kernel)
    relative = np.where(enough, square / detector.scatter.normal[index], 0.0)
    return relative, residual_variance.statistic(relative, enough), enough


def _centre(baseline: Baseline, index: int, value: Floats, present: Bools) -> tuple[Floats, Floats]:
    """Deviations from normal [N, P], absent ones imputed, and their Mahalanobis distance [N]."""
    centred = np.where(present, value - baseline.mean[index], 0.0)
    filled = impute(centred, present, baseline.precision[index])
    return filled, distance(filled, baseline.whitening[index])


def _share(parts: Floats) -> Floats:
    total = parts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, parts / np.where(total > 0, total, 1.0), 1.0 / parts.shape[-1])
