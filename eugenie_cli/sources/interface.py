"""What an importer is, and how one is found by its source's `type`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from eugenie_cli.history.batch import Batch
from eugenie_cli.progress import Advance
from eugenie_cli.readings import RULES_VERSION
from eugenie_cli.readings.routing import Router
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_plugins import broken, importer_factory
from eugenie_cli.site.source_types import SourceSettings

EXAMPLES = 3  # of each reason: enough to find the cause, few enough to read


@dataclass(frozen=True)
class SourceItem:
    """One thing that a source holds, imported as a whole: a file, say.

    `key` names it for ever; `state` changes whenever its content may have changed, and is cheap to know.
    `aliases`: keys that earlier versions gave it; `names`: what its name alone decides of its readings, such
    as their asset.
    """

    key: str
    size: int
    state: Mapping[str, Any]
    aliases: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Tally:
    """What happened to the records of one item.

    `records`: how many there are; `lost`: those of which nothing was taken; `companions`: columns that look
    like part of another, and what they look like: the "quality" or "instant" of a tag, the quality of a "row",
    the "second" of one name, something without a name ("unnamed"), or nearly a tag ("spelling").
    """

    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown_columns: list[str] = field(default_factory=list)
    companions: dict[str, str] = field(default_factory=dict)
    records: int = 0
    lost: int = 0

    def reject(self, reason: str, count: int) -> int:
        """Count rejections; returns how many examples of the reason are still wanted."""
        self.rejected[reason] += count
        return EXAMPLES - len(self.examples.get(reason, ()))

    def example(self, reason: str, where: str, detail: str) -> None:
        """Keep one rejection in full: `where` is `file:line`."""
        self.examples.setdefault(reason, []).append(f"{where}: {detail}")


@runtime_checkable
class Importer(Protocol):
    """Reads one source. Made by what its type's `importer` names, from the source's settings and the site."""

    def items(self) -> Sequence[SourceItem]:
        """What there is to import now. Raises EugenieError when the source cannot be looked at."""

    def missing(self, key: str) -> str:
        """Why `items` does not have an item that was imported: "its file is gone", say."""

    def settings(self) -> Mapping[str, Any]:
        """All that decides how an item is read: an item is read again when they change."""

    def digest(self, item: SourceItem) -> str:
        """A hash of the item's content, for one whose `state` changed."""

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The item's readings, in bounded memory. Calls `advance` with bytes done. Raises EugenieError."""


def importer_for(source: SourceSettings, site: Site) -> Importer:
    """The importer of a source, by its type. Raises EugenieError that names the package where it cannot be used."""
    make: Callable[[SourceSettings, Site], Importer] = importer_factory(source.type)
    if not callable(make):
        raise broken(source.type, "has an importer that cannot be called")
    importer = make(source, site)
    if not isinstance(importer, Importer):
        raise broken(source.type, f"makes a {type(importer).__name__}, which lacks methods of an importer")
    return importer


def settings_digest(importer: Importer) -> str:
    """SHA-256 of an importer's settings and of the rules by which records become readings.

    An item is read again when it changes.
    """
    settings = {**importer.settings(), "rules": RULES_VERSION}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def router_of(site: Site) -> Router:
    """The routing of a site's assets."""
    return Router(
        {name: {"class": asset.class_name, "tags": dict(asset.tags)} for name, asset in site.assets.items()},
        {name: equipment.sensor_names for name, equipment in site.classes.items()},
    )
