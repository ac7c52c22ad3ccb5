"""How a benchmark speaks: narration on stderr, and one line of JSON on stdout at its end."""

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
"""Digits that a figure keeps: a benchmark repeats to two of them at best."""


def _jiffies() -> tuple[int, int]:
    """Of all cores since they started: with work to do, and of that stolen. See proc(5)."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, stolen = map(int, fields[1:9])
    return user + nice + system + irq + softirq + stolen, stolen


_AT_START = _jiffies()


def end_on_term() -> None:
    """TERM ends a benchmark as Ctrl-C does, so that it can stop the engines that it started."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@contextmanager
def failures_in_words(progress: Console) -> Iterator[None]:
    """What a person can act on becomes its words and an exit code, an interrupt its exit code: no traceback."""
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
    """Print `{"name", "figures"}`, the last line of a benchmark, with `stolen_share` of the time since it began."""
    wanted, stolen = (now - then for now, then in zip(_jiffies(), _AT_START, strict=True))
    told = {**figures, "stolen_share": stolen / max(1, wanted)}
    sys.stdout.write(json.dumps({"name": name, "figures": _rounded(told)}, allow_nan=False) + "\n")
    sys.stdout.flush()


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    return float(f"{value:.{SIGNIFICANT}g}") if isinstance(value, float) else value
