"""Reports of benchmarks: progress on stderr, and one line of JSON on stdout at the end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError, ExitCode

SIGNIFICANT = 4
"""Significant digits of a figure: a benchmark reproduces two of them at best."""


def _jiffies() -> tuple[int, int]:
    """Jiffies of all cores since boot: with work to do, and the stolen part of these. See proc(5)."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, stolen = map(int, fields[1:9])
    return user + nice + system + irq + softirq + stolen, stolen


_AT_START = _jiffies()


def end_on_term() -> None:
    """Let SIGTERM end a benchmark like Ctrl-C, so that it can stop the engines that it started."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@contextmanager
def failures_in_words(progress: Console) -> Iterator[None]:
    """Turn expected errors into a message and an exit code, and an interrupt into its exit code: no traceback."""
    try:
        yield
    except EugenieError as error:
        progress.error(error.reason, error.hint)
        raise SystemExit(int(error.exit_code)) from None
    except TimeoutError as error:
        progress.error(str(error))
        raise SystemExit(int(ExitCode.FAILED)) from None
    except KeyboardInterrupt:
        raise SystemExit(int(ExitCode.INTERRUPTED)) from None


def finish(name: str, figures: Mapping[str, Any]) -> None:
    """Print `{"name", "figures"}`, the last line of a benchmark, with the `stolen_share` since its start."""
    busy, stolen = (now - then for now, then in zip(_jiffies(), _AT_START, strict=True))
    reported = {**figures, "stolen_share": stolen / max(1, busy)}
    sys.stdout.write(json.dumps({"name": name, "figures": _rounded(reported)}, allow_nan=False) + "\n")
    sys.stdout.flush()


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    return float(f"{value:.{SIGNIFICANT}g}") if isinstance(value, float) else value
