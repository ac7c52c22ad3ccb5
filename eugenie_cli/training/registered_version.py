"""A version of a class in the registry, and what to say when there is no such version, or it cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.errors import EugenieError

CHAMPION, CHALLENGER = "champion", "challenger"
"""MLflow aliases of a class's versions."""


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a class in the registry. `name`: the class; `created`: ms since 1970; `type`: of its detector.

    `gate`: the last verdict of the class's promotion gate (passed, refused or forced); None if it was not evaluated.
    """

    name: str
    version: int
    run_id: str
    aliases: tuple[str, ...]
    created: int = 0
    metrics: dict[str, float] | None = None
    type: str | None = None
    gate: str | None = None
    orphaned: bool = False
    """The store no longer has its run, so it cannot be loaded."""


def way_to(class_name: str, which: str | int, numbers: list[int]) -> str:
    """What to do when there is no such version or alias."""
    if not numbers:
        return f"`eugenie train --class {class_name}`"
    if which == CHAMPION:
        return f"`eugenie models promote {class_name} {numbers[0]}` makes the newest version champion"
    if which == CHALLENGER:
        return f"`eugenie train --class {class_name}` trains one; a version can also be named by its number"
    return "`eugenie models list` shows them"


def unreadable(version: RegisteredVersion, why: str) -> EugenieError:
    again = f"train the class again: `eugenie train --class {version.name}`"
    if CHAMPION in version.aliases:
        again += ", and promote the new version"
    return EugenieError(
        f"{version.name} version {version.version}: its detector is unreadable: {why}",
        f"restore the run's artifacts from a backup, or {again}",
    )
