"""What is wanted of a training beyond what the site file says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingOptions:
    """The options of `eugenie train`, for each class that it trains."""

    epochs: int | None = None
    """Instead of the site file's."""
    force: bool = False
    """Train although a version of the same data, settings and code is there."""
    from_champion: bool = False
    """Go on from the champion's network."""


AS_THE_SITE_SAYS = TrainingOptions()
