"""The one error type that users see, and the exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `eugenie`, on which scripts may rely."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID_SITE = 3
    UNREACHABLE = 4
    REFUSED = 5
    PARTLY = 6
    INTERRUPTED = 130


class EugenieError(Exception):
    """An error that the user can act on: what is wrong and where, and what to do next.

    Raise it where the cause is known. Only `main` turns it into a message and an exit code.
    """

    def __init__(self, reason: str, hint: str | None = None, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.exit_code = exit_code
