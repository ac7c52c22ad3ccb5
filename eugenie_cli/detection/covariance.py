"""Shrunk covariance and the Mahalanobis distance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats

# Eigenvalues of a correlation matrix below this are noise floor: without it two sensors that repeat each
# other turn rounding errors into alarms.
MIN_EIGENVALUE = 1e-3
# An asset with fewer rows that were learnt from takes its class's baseline.
MIN_BASELINE_ROWS = 100
# Rows that stand for a class, whose assets may have more than memory holds: every so-many-th of theirs is taken.
MAX_CLASS_ROWS = 60_000
# Deviation below which a statistic of standardised values is taken as constant.
MIN_DEVIATION = 1e-3


def ledoit_wolf(samples: Floats) -> tuple[Floats, float]:
    """Covariance shrunk towards a scaled identity: Ledoit and Wolf, "A well-conditioned estimator for
    large-dimensional covariance matrices", Journal of Multivariate Analysis 88 (2004), section 3.2.

    `samples` float [N, P], centred -> (covariance float64 [P, P], shrinkage in 0..1).
    """
    x = np.asarray(samples, dtype=np.float64)
    n, p = x.shape
    sample = x.T @ x / n
    mu = np.trace(sample) / p
    d2 = np.sum((sample - mu * np.eye(p)) ** 2) / p
    squares = x**2
    b2 = np.sum(squares.T @ squares / n - sample**2) / (n * p)
    shrinkage = float(min(b2, d2) / d2) if d2 > 0 else 1.0
    return shrinkage * mu * np.eye(p) + (1.0 - shrinkage) * sample, shrinkage


@dataclass(frozen=True)
class Baseline:
    """How a statistic of P sensors behaves on an asset in normal operation.

    `mean` float [A, P]; `deviation` float [A, P]; `whitening` float [A, P, P]: W with W'W the inverse
    covariance, so that the squared Mahalanobis distance of x is |W (x - mean)|^2, a sum of squares that
    cannot round below zero.
    """

    mean: Floats
    deviation: Floats
    whitening: Floats

    @property
    def precision(self) -> Floats:
        """Inverse covariance, float64 [A, P, P]."""
        whitening = self.whitening.astype(np.float64)
        return np.einsum("aij,aik->ajk", whitening, whitening)


def whitener(samples: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean [P], deviation [P] and whitening matrix [P, P] of `samples` float [N, P] without NaN.

    The correlation matrix is shrunk (Ledoit-Wolf), so that sensors of different spread count alike.
    """
    x = np.asarray(samples, dtype=np.float64)
    mean = x.mean(axis=0)
    deviation = np.maximum(x.std(axis=0), MIN_DEVIATION)
    correlation, _ = ledoit_wolf((x - mean) / deviation)
    values, vectors = np.linalg.eigh(correlation)
    values = np.maximum(values, MIN_EIGENVALUE)
    return mean, deviation, (vectors / np.sqrt(values)).T / deviation


def known(values: Floats, present: Bools) -> Floats:
    """`values` [N, P] with the sensor's mean where absent, so that an absent value adds nothing to a covariance."""
    counts = present.sum(axis=0)
    means = np.where(present, values, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return np.where(present, values, means)


def baseline(samples: Callable[[], Iterable[Floats]]) -> Baseline:
    """One baseline for each asset, the class's where an asset has too few samples (float [N, P] each, no NaN). They are
    asked for anew each time, and taken one by one."""
    lengths = [len(sample) for sample in samples()]
    pooled = None
    if min(lengths) < MIN_BASELINE_ROWS:
        step = stride(sum(lengths))
        pooled = whitener(np.concatenate([sample[::step] for sample in samples()]))
    parts = [whitener(sample) if pooled is None or len(sample) >= MIN_BASELINE_ROWS else pooled for sample in samples()]
    return Baseline(*(np.stack(part).astype(np.float32) for part in zip(*parts, strict=True)))


def stride(rows: int) -> int:
    """Every how-many-th of a class's rows is taken where they stand for the class."""
    return max(1, -(-rows // MAX_CLASS_ROWS))


def impute(centred: Floats, present: Bools, precision: Floats) -> Floats:
    """Absent entries take their conditional mean given the present ones, so that the Mahalanobis distance
    is that of the present ones alone (the Schur complement).

    `centred` float [N, P] with 0 where absent, `present` bool [N, P], `precision` [P, P] -> float [N, P].
    """
    some = np.flatnonzero(~present.all(axis=1))
    if not some.size:
        return centred
    absent = ~present[some]
    system = np.where(absent[:, :, None] & absent[:, None, :], precision, np.eye(present.shape[1]))
    right = np.where(absent, centred[some] @ precision, 0.0)
    filled = np.array(centred)
    filled[some] -= np.linalg.solve(system, right[:, :, None])[:, :, 0]
    return filled


def distance(centred: Floats, whitening: Floats) -> Floats:
    """Mahalanobis distance float [N] of `centred` [N, P] under `whitening` [P, P]."""
    lengths: Floats = np.linalg.norm(centred @ whitening.T, axis=-1)
    return lengths
