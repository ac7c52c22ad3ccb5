"""OPC UA's DateTime: 100 ns since 1601 UTC (OPC 10000-6, 5.2.2.5)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

MS = 10_000
"""Ticks in a millisecond."""
EPOCH_MS = 11_644_473_600_000
"""Milliseconds from 1601 to 1970."""
_EPOCH = datetime(1601, 1, 1, tzinfo=timezone.utc)


def to_ticks(ms: int) -> int:
    """Milliseconds since 1970 UTC -> ticks."""
    return (ms + EPOCH_MS) * MS


def to_ms(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ticks -> milliseconds since 1970 UTC, rounded down."""
    return ticks // MS - EPOCH_MS


def to_datetime(ticks: int) -> datetime:
    """Ticks -> datetime, as asyncua takes it."""
    return _EPOCH + timedelta(microseconds=ticks // 10)
