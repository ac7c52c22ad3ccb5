"""The truncated EWMA: smoothing with a bounded memory.

An exponentially weighted moving average (Roberts, Technometrics 1, 1959) remembers everything since it started.
Truncated after R rows and renormalised, it is a weighted mean of a window, so a score remains a pure function of the
window.
"""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats

# Shewhart-chart practice: .05-.25 finds shifts of about one deviation; with .1, the last 7 rows have half the weight.
SMOOTHING = 0.1
# Weight of the newest row in the scatter of forecast errors, which reflects the current state. Hunter, "The
# exponentially weighted moving average", Journal of Quality Technology 18 (1986), advises .2.
SCATTER_SMOOTHING = 0.2
# A sensor enters a statistic if at least this share of the kernel's weight falls on present values.
MIN_WEIGHT = 0.5


def ewma_kernel(rows: int, smoothing: float = SMOOTHING) -> Floats:
    """Weights float64 [rows], oldest row first, summing to 1."""
    weights: Floats = (1.0 - smoothing) ** np.arange(rows - 1, -1, -1, dtype=np.float64)
    return weights / weights.sum()


def redundancy(kernel: Floats) -> float:
    """How many consecutive averages carry as much information on variances and covariances as one independent average:
    the sum of the squared autocorrelations that `kernel` [R] gives to rows without memory (Bartlett, 1946). Nine for a
    weight of .1; more if the rows are themselves autocorrelated."""
    products = np.correlate(kernel, kernel, "full")
    return float(np.sum((products / products.max()) ** 2))


def smooth(values: Floats, present: Bools, kernel: Floats) -> tuple[Floats, Bools]:
    """Weighted mean of the present values over the row axis.

    `values` float [..., R, P] (anything where absent), `present` bool [..., R, P], `kernel` [R]
    -> mean float [..., P] (0 where absent), present bool [..., P].
    """
    weight = np.einsum("...rp,r->...p", present.astype(np.float64), kernel)
    total = np.einsum("...rp,r->...p", np.where(present, values, 0.0), kernel)
    enough = weight >= MIN_WEIGHT
    return np.where(enough, total / np.maximum(weight, MIN_WEIGHT), 0.0), enough
