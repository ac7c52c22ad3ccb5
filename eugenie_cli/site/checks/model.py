"""Contradictions between settings of `model:`. Both loading a site file and training reject them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eugenie_cli.detection.detectors.options import BURN_IN
from eugenie_cli.site.detectors import DetectorSettings, ForecasterSettings, PcaQSettings


class Contradiction(NamedTuple):
    """A problem of one setting; `needs`: other settings from which it was derived."""

    key: str
    message: str
    needs: tuple[str, ...] = ()


def contradictions(model: DetectorSettings) -> Iterator[Contradiction]:
    """All contradictions between the settings of a detector."""
    less = f"must be less than the window, {model.window} rows"
    if isinstance(model, ForecasterSettings):
        if model.window <= BURN_IN:
            yield Contradiction(
                "window",
                f"must be more than {BURN_IN} rows: a forecaster learns from the rows after them. Use a longer window, "
                "or a type that works with a short one, such as pca-q",
            )
        if model.warmup >= model.window:
            yield Contradiction("warmup", f"{less}; half of it is usual", ("window",))
    horizons: tuple[int, ...] | None = getattr(model, "horizons", None)
    if horizons is None:  # a type that does not forecast
        return
    if not horizons:
        yield Contradiction("horizons", "must contain at least one")
    elif max(horizons) >= model.window:
        yield Contradiction("horizons", less, ("window",))
    elif isinstance(model, ForecasterSettings) and max(horizons) > model.warmup:
        yield Contradiction(
            "horizons",
            f"must be at most the warmup, {model.warmup} rows: each row is forecast from rows of its own window. "
            "Use a longer warmup or shorter horizons",
            ("window", "warmup"),
        )
    if len(set(horizons)) < len(horizons):
        yield Contradiction("horizons", "must not repeat")


def too_few_sensors(model: DetectorSettings, scored: Sequence[str]) -> str:
    """Why a detector cannot judge the scored sensors; empty if it can."""
    if isinstance(model, PcaQSettings) and len(scored) < 2:
        return (
            f"pca-q judges how sensors move together, but only {scored[0]} is scored: use another type, such as mewma, "
            "or score a second sensor"
        )
    return ""
