"""Which models, and which of their versions, a server is to serve: those that a models.config releases."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from eugenie_cli.serving import release_config as record
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.schema import Site


def released(site: Site, *, canaries: Collection[str] = (), ask: bool = True) -> tuple[ReleasedModel, ...]:
    """A model for each class of the site, `base_path` is below the store: the class.

    The versions are those that are released, and of `canaries` the newest exported one beside them. A class that is
    not released has none, and is not served. `ask`: a store across a network too, where the workspace has no list.
    Raises EugenieError: the list of releases cannot be read.
    """
    kept, there = record.read_for_elsewhere(site, ask=ask), record.exported(site)
    models = []
    for name in sorted(site.classes):
        model = kept.get(name, ReleasedModel(name, name))
        beside = there[name][-1:] if name in canaries and model.versions else ()
        versions = tuple(sorted({*model.versions, *beside}))
        models.append(replace(model, base_path=name, versions=versions))
    return tuple(models)
