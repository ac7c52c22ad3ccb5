"""Problems of a site file, each with its position."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from eugenie_cli.errors import EugenieError, ExitCode

Path = tuple[str | int, ...]


class Position(NamedTuple):
    """Line and column, counted from 1 as in editors."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """One problem at one position of the file."""

    position: Position
    path: Path
    message: str

    def show(self, file: str) -> str:
        """`file:line:column: dotted.path: message`, a form that editors can jump to."""
        where = f"{dotted(self.path)}: " if self.path else ""
        return f"{file}:{self.position.line}:{self.position.column}: {where}{self.message}"


class SiteError(EugenieError):
    """A site file that cannot be used, with all its problems. Exit code 3."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems), key=lambda problem: (problem.position, dotted(problem.path))))
        shown = [problem.show(file) for problem in self.problems]
        count = len(shown)
        reason = shown[0] if count == 1 else "\n  ".join([f"{count} problems in {file}", *shown])
        super().__init__(reason, "correct the file, then run `eugenie config check`", ExitCode.INVALID_SITE)

    def listing(self) -> list[dict[str, Any]]:
        """The problems as plain values, for JSON."""
        return [
            {
                "line": problem.position.line,
                "column": problem.position.column,
                "path": dotted(problem.path),
                "message": problem.message,
            }
            for problem in self.problems
        ]


def dotted(path: Path) -> str:
    """`("sensors", 2, "low")` -> `sensors[2].low`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)` if a known word is similar, else an empty text."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""
