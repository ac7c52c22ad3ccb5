"""Which models, and which of their versions, a server is to serve."""

from __future__ import annotations

import re

from eugenie_cli.serving.tensorflow_serving import ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site

_VERSION = re.compile(r"[1-9][0-9]*")


def released(site: Site) -> tuple[ReleasedModel, ...]:
    """A model for each class of the site, the newest version of each. `base_path` is below the store: the class."""
    return tuple(ReleasedModel(name, name) for name in sorted(site.classes))


def exported(site: Site) -> dict[str, tuple[int, ...]]:
    """The versions of each class that `eugenie export` has published in the workspace, ascending."""
    models = workspace_of(site).models
    found = {}
    for name in sorted(site.classes):
        folders = (models / name).iterdir() if (models / name).is_dir() else ()
        found[name] = tuple(sorted(int(one.name) for one in folders if _VERSION.fullmatch(one.name) and one.is_dir()))
    return found
