"""What becomes of a training: versions, and classes that failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainedVersion:
    """A version that training registered. `version` is the number of its directory once exported; `kept`: it was
    there already, trained from the same data, settings and code. `spooled`: it waits for the tracking server to be
    registered, and has no version yet; `run_id` is then its name in the spool."""

    class_name: str
    version: int | None
    run_id: str
    aliases: tuple[str, ...]
    metrics: dict[str, float]
    kept: bool = False
    spooled: bool = False


@dataclass(frozen=True)
class FailedClass:
    """A class that could not be trained, and what to do about it."""

    class_name: str
    reason: str
    hint: str | None


@dataclass(frozen=True)
class Training:
    """What became of the classes of one command."""

    trained: tuple[TrainedVersion, ...]
    failed: tuple[FailedClass, ...]
