"""How to make a baseline that won the class's own detector."""

from __future__ import annotations

from eugenie_cli.detection.detectors import registry
from eugenie_cli.site.detectors import DetectorSettings
from eugenie_cli.site.schema import Fleet


def how_to_take(fleet: Fleet, baseline: str) -> str:
    """A sentence with the site-file line; empty for a baseline that is not a detector type, or is the class's own."""
    model, class_name = fleet.equipment.model, fleet.name
    if baseline not in registry.CLASSICAL or baseline == model.type:
        return ""
    settings = {"type": baseline}
    if model.calibration != DetectorSettings.model_fields["calibration"].default:
        settings["calibration"] = f"{model.calibration:g}"
    line = ", ".join(f"{name}: {value}" for name, value in settings.items())
    return f" To use it: `model: {{{line}}}` in classes.{class_name}, then `eugenie train --class {class_name}`."
