"""Sites whose manifests tests look at: of one plant, with other sections for serving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eugenie_cli.deploy.request import Options, Request
from eugenie_cli.deploy.store_location import store_location
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.schema import Site

PLANT = Path("/srv/plant")
EXPORTED = {"fan.v2": (1,), "pump": (2, 3)}
RELEASED = {"fan.v2": 1, "pump": 2}
"""The champions: version 3 of pump is a challenger."""


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
    serving: Mapping[str, Any] | None = None,
    exported: Mapping[str, tuple[int, ...]] | None = None,
    champions: Mapping[str, int] | None = None,
    **options: Any,
) -> Request:
    """What is asked of a target; `options` as on the command line."""
    site, named = site_of(serving or {}), RELEASED if champions is None else champions
    models = [
        ReleasedModel(name, name, (named[name],), {"champion": named[name]})
        if name in named
        else ReleasedModel(name, name)
        for name in sorted(site.classes)
    ]
    return Request(
        site,
        store_location(site),
        tuple(models),
        EXPORTED if exported is None else exported,
        Options(**options),
    )
