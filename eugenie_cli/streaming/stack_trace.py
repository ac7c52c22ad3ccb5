"""Summarizes a Java stack trace, and a Python traceback inside it, in a line or two."""

from __future__ import annotations

import re

MAX_LENGTH = 500
"""Characters of a summary at most."""

_TRACEBACK = "Traceback (most recent call last)"
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt)\b.*")


def summary(stacktrace: str) -> str:
    """What failed: the exception of the last Python traceback if any, else Java's innermost cause."""
    lines = [line.rstrip() for line in stacktrace.splitlines()]
    if any(_TRACEBACK in line for line in lines):
        start = max(number for number, line in enumerate(lines) if _TRACEBACK in line)
        python = [line.strip() for line in lines[start + 1 :] if _EXCEPTION.match(line.strip()) and not _is_java(line)]
        if python:
            return python[0][:MAX_LENGTH]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes[-1] if causes else next(iter(lines), ""))[:MAX_LENGTH]


def _is_java(line: str) -> bool:
    return line.strip().startswith(("at ", "java.", "org.apache.", "Caused by"))
