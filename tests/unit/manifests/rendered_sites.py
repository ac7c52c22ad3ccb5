"""Sites whose manifests tests look at: of one plant, with other sections for serving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eugenie_cli.serving.manifests.releases import released
from eugenie_cli.serving.manifests.request import Options, Request
from eugenie_cli.serving.manifests.store_location import store_location
from eugenie_cli.site.model import Site

PLANT = Path("/srv/plant")
EXPORTED = {"fan.v2": (1,), "pump": (2, 3)}


def site_of(serving: Mapping[str, Any], name: str = "plant") -> Site:
    """A site with two classes, one of them with a name that Kubernetes would not take."""
    site = Site.model_validate(
        {
            "site": name,
            "classes": {
                "pump": {"sensors": [{"name": "pressure"}, {"name": "current"}]},
                "fan.v2": {"sensors": [{"name": "speed"}]},
            },
            "assets": {"p-1": {"class": "pump"}, "f-1": {"class": "fan.v2"}},
            "serving": serving,
        }
    )
    return site.model_copy(update={"base": PLANT, "file": PLANT / "site-configs" / "plant.yaml"})


def request_of(
    serving: Mapping[str, Any] | None = None, exported: Mapping[str, tuple[int, ...]] | None = None, **options: Any
) -> Request:
    """What is asked of a target; `options` as on the command line."""
    site = site_of(serving or {})
    return Request(
        site,
        store_location(site),
        released(site, pinned=True),
        EXPORTED if exported is None else exported,
        Options(**options),
    )
