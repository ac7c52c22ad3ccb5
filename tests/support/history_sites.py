"""Small sites for tests of the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eugenie_cli.site.schema import Site


def pump_site(root: Path, sources: list[dict[str, Any]] | None = None, **class_settings: Any) -> Site:
    """Two pumps with three sensors; `p2` has tags. Relative paths start at `root`."""
    sensors = [{"name": "flow"}, {"name": "pressure", "low": 0, "high": 16}, {"name": "motor current"}]
    site = Site.model_validate(
        {
            "site": "plant",
            "timezone": "Europe/Berlin",
            "sources": sources or [],
            "classes": {"pump": {"sensors": sensors, "step": "1s", "max_gap": "5s", **class_settings}},
            "assets": {
                "p1": {"class": "pump"},
                "p2": {
                    "class": "pump",
                    "tags": {"flow": "FT-2", "pressure": "PT-2", "motor current": "IT-2"},
                },
            },
        }
    )
    return site.model_copy(update={"base": root})
