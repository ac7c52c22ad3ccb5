"""Which models, and which of their versions, a server is to serve."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from eugenie_cli.serving import released as record
from eugenie_cli.serving.tensorflow_serving import ReleasedModel
from eugenie_cli.site.model import Site


def released(site: Site, *, pinned: bool, canaries: Collection[str] = ()) -> tuple[ReleasedModel, ...]:
    """A model for each class of the site, `base_path` is below the store: the class.

    With `pinned` the version that is released, and of `canaries` the newest exported one beside it. Without, as for a
    class that was never exported, no versions, which means the newest that is there: only champions are put there.
    """
    kept, there = record.read(site) if pinned else {}, record.exported(site)
    models = []
    for name in sorted(site.classes):
        model = kept.get(name, ReleasedModel(name, name))
        beside = there[name][-1:] if name in canaries and model.versions else ()
        versions = tuple(sorted({*model.versions, *beside}))
        models.append(replace(model, base_path=name, versions=versions))
    return tuple(models)
