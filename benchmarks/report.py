"""How a benchmark speaks: narration on stderr, and one line of JSON on stdout at its end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

SIGNIFICANT = 4
"""Digits that a figure keeps: a benchmark repeats to two of them at best."""


def end_on_term() -> None:
    """TERM ends a benchmark as Ctrl-C does, so that it can stop the engines that it started."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def finish(name: str, figures: Mapping[str, Any]) -> None:
    """Print `{"name", "figures"}`, the last line of a benchmark."""
    sys.stdout.write(json.dumps({"name": name, "figures": _rounded(figures)}, allow_nan=False) + "\n")
    sys.stdout.flush()


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    return float(f"{value:.{SIGNIFICANT}g}") if isinstance(value, float) else value
