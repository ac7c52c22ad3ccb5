"""The one error type that users see, and the exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `eugenie`. They are a contract for scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID_SITE = 3
    UNREACHABLE = 4
    REFUSED = 5
    PARTLY = 6
    INTERRUPTED = 130


class EugenieError(Exception):
    """Something that the user can act on: what is wrong (with where), and what to do next.

    Raised where the fact is known; `main` turns it into words and an exit code, once.
    """

    def __init__(self, reason: str, hint: str | None = None, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.exit_code = exit_code
