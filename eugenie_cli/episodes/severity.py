"""The severity of an anomaly: low, medium or high."""

from __future__ import annotations

MEDIUM_FROM = 2.0
"""Peak score (over threshold) from which the severity is medium: twice the threshold."""
HIGH_FROM = 4.0
"""Peak score from which the severity is high."""


def severity(peak: float) -> str:
    """`low`, `medium` or `high`, from the peak score over threshold."""
    if peak >= HIGH_FROM:
        return "high"
    return "medium" if peak >= MEDIUM_FROM else "low"
