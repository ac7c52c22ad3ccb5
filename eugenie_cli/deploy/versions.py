"""The models and versions for a server to serve: those that a models.config releases."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from eugenie_cli.serving import release_config as record
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.schema import Site


def released(site: Site, *, canaries: Collection[str] = (), ask: bool = True) -> tuple[ReleasedModel, ...]:
    """A model for each class of the site; `base_path`, the class's name, is relative to the store.

    The versions are the released ones, and for a class in `canaries` also its newest exported one. A class without a
    released version has none and is not served. `ask`: also query a remote store if the workspace has no list. Raises
    EugenieError when the list of releases cannot be read.
    """
    releases, versions_of = record.read_for_elsewhere(site, ask=ask), record.exported(site)
    models = []
    for name in sorted(site.classes):
        model = releases.get(name, ReleasedModel(name, name))
        canary = versions_of[name][-1:] if name in canaries and model.versions else ()
        versions = tuple(sorted({*model.versions, *canary}))
        models.append(replace(model, base_path=name, versions=versions))
    return tuple(models)
