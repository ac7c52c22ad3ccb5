"""Instants before and after all others, in ms since 1970 UTC. Adding to them and subtracting does not overflow."""

from __future__ import annotations

import numpy as np

NEVER = int(np.iinfo(np.int64).min) // 4
FOREVER = int(np.iinfo(np.int64).max) // 4
