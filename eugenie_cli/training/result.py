"""The results of training: versions, and classes that failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainedVersion:
    """A trained version of a class. `version`: its number in the registry and the name of its exported directory.
    `kept`: it already existed, trained from the same data, settings and code. `spooled`: it waits for the tracking
    server and has no version number yet; `run_id` is then its name in the spool."""

    class_name: str
    version: int | None
    run_id: str
    aliases: tuple[str, ...]
    metrics: dict[str, float]
    kept: bool = False
    spooled: bool = False


@dataclass(frozen=True)
class FailedClass:
    """A class that could not be trained, with the reason and what to do next."""

    class_name: str
    reason: str
    hint: str | None


@dataclass(frozen=True)
class Training:
    """The outcome for each class of one command."""

    trained: tuple[TrainedVersion, ...]
    failed: tuple[FailedClass, ...]
