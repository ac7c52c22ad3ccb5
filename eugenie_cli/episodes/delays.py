"""The delays of an alarm (ISA-18.2: alarm attributes)."""

from __future__ import annotations

from typing import NamedTuple


class Delays(NamedTuple):
    """Consecutive scored rows that open an anomaly, and that close it. The defaults hold where neither the site file
    nor the model version has others."""

    on: int = 5
    off: int = 5
