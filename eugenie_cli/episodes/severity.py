"""How strong an anomaly is, in three words."""

from __future__ import annotations

MEDIUM_FROM = 2.0
"""Peak score (over threshold) from which an anomaly is of medium severity: twice what normal rows reach."""
HIGH_FROM = 4.0
"""Peak score from which it is of high severity."""


def severity(peak: float) -> str:
    """`low`, `medium` or `high`, from the peak score over threshold."""
    if peak >= HIGH_FROM:
        return "high"
    return "medium" if peak >= MEDIUM_FROM else "low"
