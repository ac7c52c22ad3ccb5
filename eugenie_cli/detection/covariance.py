"""Shrunk covariance and the Mahalanobis distance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.asset_tables import PER_ASSET

# Eigenvalues of a correlation matrix below this are taken as this. Along directions that hold 3 % of a deviation and
# less (eigenvalues of 1e-3) sensors differ by what the historian rounds off, and the next year's rounding is not this
# one's: on a water network (BATADAL), whose pumps repeat their flow as pressure, a third of later normal rows alarmed.
MIN_EIGENVALUE = 0.05
# An asset with fewer rows that were learnt from takes its class's baseline.
MIN_BASELINE_ROWS = 100
# Rows that stand for a class, whose assets may have more than memory holds: every so-many-th of theirs is taken.
MAX_CLASS_ROWS = 60_000
# Deviation below which a statistic of standardised values is taken as constant, and what is then taken for it: of a
# sensor that never moved deviations are shares of its value, and its last digit is no alarm. (It has no correlation, so
# along it the distance is the larger by the root of `MIN_EIGENVALUE`.)
MIN_DEVIATION = 1e-3
STILL_DEVIATION = 0.5


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
    """Of `samples` float [N, P] without NaN.

    The correlation matrix is shrunk (Ledoit-Wolf), so that sensors of different spread count alike.
    """
    x = np.asarray(samples, dtype=np.float64)
    mean = x.mean(axis=0)
    deviation = x.std(axis=0)
    deviation = np.where(deviation < MIN_DEVIATION, STILL_DEVIATION, deviation)
    correlation, _ = ledoit_wolf((x - mean) / deviation)
    return mean, deviation, _inverse_root(correlation) / deviation


def averages_whitener(averages: Floats, rows: Floats, redundancy: float) -> Whitening:
    """Of moving averages float [N, P] of `rows` float [T, P], without NaN.

    Neighbouring averages say nearly the same, so `redundancy` (see `ewma.redundancy`) of them count as one, and some
    hundred of them tell little of a covariance. What they tell is mixed with what the rows do, of which there are as
    many as there seem to be: averages of rows without memory correlate as the rows do (Lowry et al., 1992), and are
    narrower by the same factor for every sensor. The share of the rows' say is the averages' squared sampling error
    over their squared difference from it (Ledoit and Wolf, 2004; for variances Opgen-Rhein and Strimmer, 2007; for
    samples with memory Bartz and Müller, 2014).
    """
    averages, rows = averages.astype(np.float64), rows.astype(np.float64)
    mean, deviation = averages.mean(axis=0), np.maximum(averages.std(axis=0), MIN_DEVIATION)
    standard = (averages - mean) / deviation
    of_rows = np.maximum(rows.std(axis=0), MIN_DEVIATION)
    target, _ = ledoit_wolf((rows - rows.mean(axis=0)) / of_rows)
    correlation = _shrunk_correlation(standard, target, redundancy)
    narrower = _shrunk_variances((deviation / of_rows) ** 2, standard, redundancy)
    deviation = np.maximum(of_rows * np.sqrt(narrower), MIN_DEVIATION)
    return mean, deviation, _inverse_root(correlation) / deviation


def _inverse_root(correlation: Floats) -> Floats:
    """W with W'W the inverse of `correlation` [P, P]."""
    values, vectors = np.linalg.eigh(correlation)
    root: Floats = (vectors / np.sqrt(np.maximum(values, MIN_EIGENVALUE))).T
    return root


def _shrunk_correlation(standard: Floats, target: Floats, redundancy: float) -> Floats:
    """Of standardised samples [N, P], towards `target` [P, P].

    The sampling error is a correlation's (Steiger and Hakstian, 1982), which vanishes where two sensors go as one. A
    covariance's does not: with that, sensors that are tightly coupled would be loosened.
    """
    count = len(standard)
    sample = standard.T @ standard / count
    squares = standard**2
    both, fourth = squares.T @ squares / count, np.mean(squares**2, axis=0)
    skewed = (standard * squares).T @ standard / count
    error = both - sample * (skewed + skewed.T) + sample**2 / 4.0 * (fourth[:, None] + fourth + 2.0 * both)
    share = _share(error.sum() / count * redundancy, np.sum((sample - target) ** 2))
    mixed: Floats = share * target + (1.0 - share) * sample
    return mixed


def _shrunk_variances(variances: Floats, standard: Floats, redundancy: float) -> Floats:
    """`variances` [P] of samples whose standardised values are [N, P], towards their median."""
    error = np.sum(variances**2 * (np.mean(standard**4, axis=0) - 1.0)) / len(standard) * redundancy
    median = np.median(variances)
    share = _share(error, np.sum((variances - median) ** 2))
    mixed: Floats = share * median + (1.0 - share) * variances
    return mixed


def _share(error: float, difference: float) -> float:
    """Of the target in the mixture: squared sampling error over the squared difference, at most all of it.

    One sensor's correlation with itself has no sampling error, and no difference from its target; what is computed of
    either is rounding, on either side of 0.
    """
    error = max(error, 0.0)
    return 1.0 if error >= difference else float(error / difference)


def known(values: Floats, present: Bools) -> Floats:
    """`values` [N, P] with the sensor's mean where absent, so that an absent value adds nothing to a covariance."""
    counts = present.sum(axis=0)
    means = np.where(present, values, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return np.where(present, values, means)


def calmed(one: Baseline, still: Bools) -> Baseline:
    """The same, in which sensors that never moved (`still` bool [A, P]) have `STILL_DEVIATION` at least."""
    wider = np.where(still, np.maximum(STILL_DEVIATION / one.deviation, 1.0), 1.0).astype(np.float32)
    return Baseline(one.mean, one.deviation * wider, one.whitening / wider[:, None, :])


def baseline(
    samples: Callable[[], Iterable[tuple[Floats, ...]]], whiten: Callable[..., Whitening] = whitener
) -> Baseline:
    """One baseline for each asset, the class's where an asset has too few samples. `samples` are what `whiten` takes,
    float [N, P] each without NaN; they are asked for anew each time, and taken one by one."""
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
