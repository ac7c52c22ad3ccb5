"""Starts programs as a shell does in the foreground, so that Ctrl-C reaches them.

A shell without job control, and nohup in it, starts background jobs with SIGINT ignored. Children inherit that across
exec, and Python then installs no handler that raises KeyboardInterrupt. eugenie respects that, as a background job
should; a test of Ctrl-C must not depend on how the test run itself was started.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def start(argv: Sequence[Any], **options: Any) -> subprocess.Popen:
    """`subprocess.Popen(argv, **options)` with the default disposition of SIGINT. Call it in the main thread.

    This process has that disposition during the start: exec resets a handler to the default, and no
    Python code runs between fork and exec, which is unsafe where other threads (gRPC's, librdkafka's) are running.
    """
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(argv, **options)
    finally:
        signal.signal(signal.SIGINT, inherited)
