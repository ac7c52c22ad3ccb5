"""The clock by which imports of windows decide what is closed."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest


def set_clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> SimpleNamespace:
    """Stop the clock at `at`, which may be set later as an attribute of the result."""
    clock = SimpleNamespace(at=at)
    clock.time_ns = lambda: round(clock.at.timestamp() * 1_000) * 1_000_000
    monkeypatch.setattr("eugenie_cli.sources.windows.importer.time", clock)
    return clock
