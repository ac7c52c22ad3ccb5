"""Sites for tests of manifests: one plant with different `serving` sections."""

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
    """A site with two classes, one of which has a name that Kubernetes does not accept."""
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
    """A request to a target, with `options` as on the command line."""
    site, champion_versions = site_of(serving or {}), RELEASED if champions is None else champions
    models = [
        ReleasedModel(name, name, (champion_versions[name],), {"champion": champion_versions[name]})
        if name in champion_versions
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
