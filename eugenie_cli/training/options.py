"""Options of a training run that are not in the site file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingOptions:
    """The options of `eugenie train`, which apply to each class that it trains."""

    epochs: int | None = None
    """Overrides the site file's number of epochs."""
    force: bool = False
    """Train even if a version of the same data, settings and code exists."""
    from_champion: bool = False
    """Warm start: begin with the champion's network."""
    accept_alarms: bool = False
    """Learn rows in which the champion was in alarm, too: they are normal operation."""


NO_OPTIONS = TrainingOptions()
