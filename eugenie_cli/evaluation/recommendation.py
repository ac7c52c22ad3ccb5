"""How a baseline that won becomes the class's own detector."""

from __future__ import annotations

from eugenie_cli.detection.detectors import registry
from eugenie_cli.site.detectors import DetectorSettings
from eugenie_cli.site.schema import Site


def how_to_take(site: Site, class_name: str, baseline: str) -> str:
    """A sentence with the line of the site file; empty for a baseline that is no type, or is the class's own."""
    own = site.classes[class_name].model
    if baseline not in registry.CLASSICAL or baseline == own.type:
        return ""
    settings = {"type": baseline}
    if own.calibration != DetectorSettings.model_fields["calibration"].default:
        settings["calibration"] = f"{own.calibration:g}"
    written = ", ".join(f"{name}: {value}" for name, value in settings.items())
    return f" To take it: `model: {{{written}}}` in classes.{class_name}, then `eugenie train --class {class_name}`."
