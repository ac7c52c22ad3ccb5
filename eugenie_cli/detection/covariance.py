"""Shrunk covariance and the Mahalanobis distance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.asset_tables import PER_ASSET

# Floor of a correlation matrix's eigenvalues. Along directions with 3 % of a deviation or less (eigenvalues of 1e-3),
# sensors differ only by the historian's rounding, which changes from year to year: on a water network (BATADAL), whose
# pumps repeat their flow as pressure, a third of later normal rows raised alarms.
MIN_EIGENVALUE = 0.05
# An asset with fewer training rows uses its class's baseline.
MIN_BASELINE_ROWS = 100
# Rows that represent a class. Its assets may have more rows than fit in memory, so evenly spaced rows are sampled.
MAX_CLASS_ROWS = 60_000
# A statistic of standardised values with a smaller deviation counts as constant and gets STILL_DEVIATION instead: the
# deviations of a sensor that never moved are shares of its value, and a change in its last digit must not raise an
# alarm. (Such a sensor has no correlation, so the root of `MIN_EIGENVALUE` increases the distance along it.)
MIN_DEVIATION = 1e-3
STILL_DEVIATION = 0.5


def ledoit_wolf(samples: Floats) -> tuple[Floats, float]:
    """Covariance shrunk towards a scaled identity: Ledoit and Wolf, "A well-conditioned estimator for
    large-dimensional covariance matrices", Journal of Multivariate Analysis 88 (2004), section 3.2, by scikit-learn.

    `samples` float [N, P], centred -> (covariance float64 [P, P], shrinkage in 0..1). Raises ValueError for no sample,
    and for a value that is not finite.
    """
    from sklearn import covariance  # half a second of imports, which only fitting needs

    shrunk, shrinkage = covariance.ledoit_wolf(np.asarray(samples, dtype=np.float64), assume_centered=True)
    return shrunk, float(shrinkage)


@dataclass(frozen=True)
class Baseline:
    """How a statistic of P sensors behaves on each asset in normal operation.

    `mean` float [A, P]; `deviation` float [A, P]; `whitening` float [A, P, P]: W such that W'W is the inverse
    covariance. The squared Mahalanobis distance of x is then |W (x - mean)|^2, a sum of squares that cannot round
    below zero.
    """

    mean: Floats = field(metadata=PER_ASSET)
    deviation: Floats = field(metadata=PER_ASSET)
    whitening: Floats = field(metadata=PER_ASSET)

    @property
    def precision(self) -> Floats:
        """Inverse covariance, float64 [A, P, P]."""
        whitening = self.whitening.astype(np.float64)
        return np.einsum("aij,aik->ajk", whitening, whitening)


Whitening = tuple[Floats, Floats, Floats]
"""Mean [P], deviation [P] and whitening matrix [P, P]."""


def whitener(samples: Floats) -> Whitening:
    """Whitening of `samples` float [N, P] without NaN.

    The correlation matrix is shrunk (Ledoit-Wolf) instead of the covariance, so sensors count equally whatever their
    spread.
    """
    x = np.asarray(samples, dtype=np.float64)
    mean = x.mean(axis=0)
    deviation = x.std(axis=0)
    deviation = np.where(deviation < MIN_DEVIATION, STILL_DEVIATION, deviation)
    correlation, _ = ledoit_wolf((x - mean) / deviation)
    return mean, deviation, _inverse_root(correlation) / deviation


def averages_whitener(averages: Floats, rows: Floats, redundancy: float) -> Whitening:
    """Whitening of moving averages float [N, P] of `rows` float [T, P], both without NaN.

    Neighbouring averages are nearly equal, so `redundancy` (see `ewma.redundancy`) of them count as one independent
    sample, and a few hundred of them estimate a covariance poorly. Their estimate is therefore mixed with that of the
    rows, which are not redundant: averages of rows without memory correlate like the rows (Lowry et al., 1992), and
    their deviations are smaller by the same factor for every sensor. The weight of the rows' estimate is the averages'
    squared sampling error over their squared difference from it (Ledoit and Wolf, 2004; for variances Opgen-Rhein and
    Strimmer, 2007; for samples with memory Bartz and Müller, 2014). scikit-learn's estimator supports neither redundant
    samples nor a target other than a scaled identity.
    """
    averages, rows = averages.astype(np.float64), rows.astype(np.float64)
    mean, deviation = averages.mean(axis=0), np.maximum(averages.std(axis=0), MIN_DEVIATION)
    standard = (averages - mean) / deviation
    row_deviation = np.maximum(rows.std(axis=0), MIN_DEVIATION)
    target, _ = ledoit_wolf((rows - rows.mean(axis=0)) / row_deviation)
    correlation = _shrunk_correlation(standard, target, redundancy)
    variance_ratio = _shrunk_variances((deviation / row_deviation) ** 2, standard, redundancy)
    deviation = np.maximum(row_deviation * np.sqrt(variance_ratio), MIN_DEVIATION)
    return mean, deviation, _inverse_root(correlation) / deviation


def _inverse_root(correlation: Floats) -> Floats:
    """W such that W'W is the inverse of `correlation` [P, P]."""
    values, vectors = np.linalg.eigh(correlation)
    root: Floats = (vectors / np.sqrt(np.maximum(values, MIN_EIGENVALUE))).T
    return root


def _shrunk_correlation(standard: Floats, target: Floats, redundancy: float) -> Floats:
    """Correlation of standardised samples [N, P], shrunk towards `target` [P, P].

    The sampling error is that of a correlation (Steiger and Hakstian, 1982), which vanishes where two sensors move as
    one. A covariance's sampling error does not, and would loosen tightly coupled sensors.
    """
    count = len(standard)
    sample = standard.T @ standard / count
    squares = standard**2
    second, fourth = squares.T @ squares / count, np.mean(squares**2, axis=0)
    third = (standard * squares).T @ standard / count
    error = second - sample * (third + third.T) + sample**2 / 4.0 * (fourth[:, None] + fourth + 2.0 * second)
    share = _share(error.sum() / count * redundancy, np.sum((sample - target) ** 2))
    mixed: Floats = share * target + (1.0 - share) * sample
    return mixed


def _shrunk_variances(variances: Floats, standard: Floats, redundancy: float) -> Floats:
    """`variances` [P] of samples with standardised values [N, P], shrunk towards their median."""
    error = np.sum(variances**2 * (np.mean(standard**4, axis=0) - 1.0)) / len(standard) * redundancy
    median = np.median(variances)
    share = _share(error, np.sum((variances - median) ** 2))
    mixed: Floats = share * median + (1.0 - share) * variances
    return mixed


def _share(error: float, difference: float) -> float:
    """The target's share in the mixture: squared sampling error over the squared difference, at most 1.

    A sensor's correlation with itself has no sampling error and equals its target; the values computed for both are
    rounding errors, on either side of 0.
    """
    error = max(error, 0.0)
    return 1.0 if error >= difference else float(error / difference)


def known(values: Floats, present: Bools) -> Floats:
    """`values` [N, P] with the sensor's mean where absent, so absent values add nothing to a covariance."""
    counts = present.sum(axis=0)
    means = np.where(present, values, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return np.where(present, values, means)


def with_still_floor(normal: Baseline, still: Bools) -> Baseline:
    """`normal` with at least `STILL_DEVIATION` for sensors that never moved (`still` bool [A, P])."""
    factor = np.where(still, np.maximum(STILL_DEVIATION / normal.deviation, 1.0), 1.0).astype(np.float32)
    return Baseline(normal.mean, normal.deviation * factor, normal.whitening / factor[:, None, :])


def baseline(
    samples: Callable[[], Iterable[tuple[Floats, ...]]], whiten: Callable[..., Whitening] = whitener
) -> Baseline:
    """A baseline for each asset; the class's for an asset with too few samples. `samples` yields the arguments of
    `whiten` for each asset, float [N, P] without NaN. It is called again for each pass and consumed one by one."""
    lengths = [len(sample[0]) for sample in samples()]
    pooled = None
    if min(lengths) < MIN_BASELINE_ROWS:
        step = stride(sum(lengths))
        thinned = [[part[::step] for part in sample] for sample in samples()]
        pooled = whiten(*(np.concatenate(part) for part in zip(*thinned, strict=True)))
    parts = [
        whiten(*sample) if pooled is None or len(sample[0]) >= MIN_BASELINE_ROWS else pooled for sample in samples()
    ]
    return Baseline(*(np.stack(part).astype(np.float32) for part in zip(*parts, strict=True)))


def stride(rows: int) -> int:
    """Step at which a class's rows are sampled to represent the class."""
    return max(1, -(-rows // MAX_CLASS_ROWS))


def impute(centred: Floats, present: Bools, precision: Floats) -> Floats:
    """Replace absent entries by their conditional mean given the present ones, so that the Mahalanobis distance equals
    that of the present ones alone (the Schur complement). A row without a present entry stays at the mean, 0.

    `centred` float [N, P] with 0 where absent, `present` bool [N, P], `precision` [P, P] -> float [N, P]. History has
    many rows but few patterns of absent entries, and there is one system of equations for each pattern.
    """
    incomplete = np.flatnonzero(~present.all(axis=1) & present.any(axis=1))
    if not incomplete.size:
        return centred
    filled, precision = np.array(centred), precision.astype(np.float64)
    packed = np.packbits(present[incomplete], axis=1)
    patterns, which, counts = np.unique(packed, axis=0, return_inverse=True, return_counts=True)
    by_pattern = np.split(incomplete[np.argsort(which.reshape(-1), kind="stable")], np.cumsum(counts)[:-1])
    for pattern, rows in zip(patterns, by_pattern, strict=True):
        known = np.unpackbits(pattern, count=present.shape[1]).astype(bool)
        weights = np.linalg.solve(precision[np.ix_(~known, ~known)], precision[np.ix_(~known, known)])
        filled[np.ix_(rows, np.flatnonzero(~known))] = -filled[rows][:, known] @ weights.T
    return filled


def distance(centred: Floats, whitening: Floats) -> Floats:
    """Mahalanobis distance float [N] of `centred` [N, P] under `whitening` [P, P]."""
    lengths: Floats = np.linalg.norm(centred @ whitening.T, axis=-1)
    return lengths
