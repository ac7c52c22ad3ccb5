"""Which models, and which of their versions, a server is to serve."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from eugenie_cli.serving import released as record
from eugenie_cli.serving.tensorflow_serving import ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site

_VERSION = re.compile(r"[1-9][0-9]*")


def released(site: Site, *, pinned: bool, canaries: Collection[str] = ()) -> tuple[ReleasedModel, ...]:
    """A model for each class of the site, `base_path` is below the store: the class.

    With `pinned` the version that is released, and of `canaries` the newest exported one beside it. Without, as for a
    class that was never exported, no versions, which means the newest that is there: only champions are put there.
    """
    kept, there = record.read(site) if pinned else {}, exported(site)
    models = []
    for name in sorted(site.classes):
        model = kept.get(name, ReleasedModel(name, name))
        beside = there[name][-1:] if name in canaries and model.versions else ()
        versions = tuple(sorted({*model.versions, *beside}))
        models.append(replace(model, base_path=name, versions=versions))
    return tuple(models)


def exported(site: Site) -> dict[str, tuple[int, ...]]:
    """The versions of each class that `eugenie export` has published in the workspace, ascending."""
    models = workspace_of(site).models
    found = {}
    for name in sorted(site.classes):
        folders = (models / name).iterdir() if (models / name).is_dir() else ()
        found[name] = tuple(sorted(int(one.name) for one in folders if _VERSION.fullmatch(one.name) and one.is_dir()))
    return found
