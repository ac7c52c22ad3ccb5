"""How far a sensor's recent values are from those that a model learnt: population stability index and KS distance.

PSI follows Lewis, "An Introduction to Credit Scoring" (1994), with the conventional limits of Siddiqi, "Credit Risk
Scorecards" (2006): below .1 no shift, up to .25 some shift, above .25 a shift. Without a shift, its expectation is
(bins - 1) (1/n + 1/m), and it is distributed as (1/n + 1/m) times a chi-square with bins - 1 degrees of freedom:
Yurdakul, "Statistical Properties of Population Stability Index" (2018). The limit of the two-sample KS distance is from
Smirnov (1948).

n and m are *effective* sizes, because consecutive rows are nearly equal. An effective size is the count over the
integrated autocorrelation time, by the initial positive sequence of Geyer, "Practical Markov Chain Monte Carlo" (1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eugenie_cli.detection.arrays import Floats

BINS = 10
SOME, MUCH = 0.1, 0.25
"""PSI from which a sensor has shifted somewhat, and has moved."""
FEWEST_INDEPENDENT = 20.0
"""With fewer effective rows in either sample, drift cannot be judged: two per bin."""

_CHI_SQUARE_95 = 16.919
"""The .95 quantile with BINS - 1 degrees of freedom."""
_KOLMOGOROV_95 = 1.358
_FLOOR = 1e-4
"""Share of an empty bin, so that its logarithm is finite."""
_TIES = 0.05
"""Share of rows with the same value from which that value gets its own bin: a closed valve, a stopped pump."""

Judged = Literal["moved", "somewhat", "no", "cannot be told"]


@dataclass(frozen=True)
class Drift:
    """Drift of one sensor; sizes are effective sizes. None where there are no values."""

    psi: float | None
    psi_by_chance: float | None
    """The value that chance exceeds once in twenty with this many independent rows."""
    ks: float | None
    ks_by_chance: float | None
    learnt: float
    recent: float
    judged: Judged


def drift(learnt: Floats, recent: Floats) -> Drift:
    """Drift between values [n] and [m], in time order and without NaN."""
    sizes = effective_size(learnt), effective_size(recent)
    if not len(learnt) or not len(recent):
        return Drift(None, None, None, None, *sizes, "cannot be told")
    spread = 1 / sizes[0] + 1 / sizes[1]
    index, distance = psi(learnt, recent), ks(learnt, recent)
    by_chance, distance_by_chance = _CHI_SQUARE_95 * spread, min(1.0, _KOLMOGOROV_95 * math.sqrt(spread))
    if min(sizes) < FEWEST_INDEPENDENT:
        judged: Judged = "cannot be told"
    elif index < max(SOME, by_chance) or distance < distance_by_chance:
        judged = "no"
    else:
        judged = "moved" if index >= MUCH else "somewhat"
    return Drift(index, by_chance, distance, distance_by_chance, *sizes, judged)


def psi(learnt: Floats, recent: Floats) -> float:
    """Population stability index of values [n] and [m], neither empty, over the deciles of `learnt`."""
    edges = np.unique(np.quantile(learnt, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    ties = np.array([np.mean(learnt == edge) >= _TIES for edge in edges])
    shares = [np.maximum(_binned(values, edges, ties), _FLOOR) for values in (learnt, recent)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def _binned(values: Floats, edges: Floats, ties: Floats) -> Floats:
    """Share of the values in each bin: up to an edge, or equal to an edge that many values have."""
    below = np.searchsorted(edges, values, side="left")
    at = np.minimum(below, len(edges) - 1)
    tied = ties[at] & (edges[at] == values)
    counts = np.bincount(2 * below + tied, minlength=2 * len(edges) + 2)
    return counts / len(values)


def ks(learnt: Floats, recent: Floats) -> float:
    """The largest distance between the two empirical distributions."""
    values = np.concatenate([learnt, recent])
    first, second = (
        np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (learnt, recent)
    )
    return float(np.abs(first - second).max())


def effective_size(values: Floats) -> float:
    """The number of independent values that would determine the mean as well as the series [n] does."""
    count = len(values)
    centred = np.asarray(values, np.float64) - np.mean(values) if count else np.zeros(0)
    variance = float(centred @ centred)
    if count < 3 or variance <= 1e-12 * count:  # constant: no value depends on its neighbour
        return float(count)
    spectrum = np.fft.rfft(centred, 1 << (2 * count - 1).bit_length())
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[:count] / variance
    pairs = correlation[: count // 2 * 2].reshape(-1, 2).sum(axis=1)
    ended = np.flatnonzero(pairs <= 0)
    time = 2 * pairs[: ended[0] if len(ended) else len(pairs)].sum() - 1
    return float(min(count, count / max(time, 1.0)))
