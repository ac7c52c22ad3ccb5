"""The protocol of importers, and how the `type` of a source selects one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from eugenie_cli.history.batch import Batch
from eugenie_cli.history.manifest import Item
from eugenie_cli.progress import Advance
from eugenie_cli.readings import RULES_VERSION
from eugenie_cli.readings.reject_reasons import REASONS
from eugenie_cli.readings.routing import Router
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_plugins import broken, importer_factory
from eugenie_cli.site.source_types import SourceSettings

EXAMPLES = 3  # of each reason: enough to find the cause, few enough to read
GAPS = 10  # of an item: each is another one, but they are kept with every item
MORE_GAPS = f"there are more: only {GAPS} are named"
"""The last of the gaps of an item that has more than GAPS."""


@dataclass(frozen=True)
class SourceItem:
    """The unit of import of a source, such as a file.

    `key` identifies it permanently; `size`: bytes, for the progress; `state` changes whenever its content may have
    changed, and is cheap to compute; what `read` adds to it is kept. `aliases`: keys that earlier versions gave it;
    `names`: what its name alone decides about its readings, such as their asset. `fixed`: what the history has of it is
    kept whatever the settings are, because its source may not have it any more.
    """

    key: str
    size: int
    state: dict[str, Any]
    aliases: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    fixed: bool = False


@dataclass
class Tally:
    """Counts of the records of one item.

    `records`: all of them; `lost`: those that gave no reading; `companions`: columns that look like part of another,
    with their kind: the "quality" or "instant" of a tag, the quality of a "row" (or its "letters", or an "inverted"
    one), the "second" column of one name, a column without a name ("unnamed"), almost a tag ("spelling"), a second
    timestamp ("again"), a "value" where that of the mapping is empty, names of "tags", a "fraction" of the instant,
    "dates" without a time of day or with day and month "exchanged", a "zone" in the name of local times, several
    "units" of one tag; `gaps`: what the source itself says it lacks; `local`: whether instants are local times.

    `resume`: what `GrowingImporter.read_on` needs to read only what is added to the item, as JSON; `pending`: whether
    the end of the item was left for the next import, whether it changes or not.
    """

    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown_columns: list[str] = field(default_factory=list)
    companions: dict[str, str] = field(default_factory=dict)
    records: int = 0
    lost: int = 0
    gaps: list[str] = field(default_factory=list)
    resume: dict[str, Any] | None = None
    pending: bool = False
    local: bool = False

    @staticmethod
    def of(state: Mapping[str, Any]) -> Tally:
        """The counts that were kept with an item, to which those of its new end are added."""
        return Tally(
            Counter(state["rejected"]),
            {reason: list(examples) for reason, examples in state["examples"].items()},
            list(state["unknown_columns"]),
            dict(state.get("companions", {})),
            state.get("records", 0),
            state.get("lost", 0),
            local=state.get("local", False),
        )

    def state(self) -> dict[str, Any]:
        """What is kept of it with the item."""
        kept = {
            "rejected": dict(self.rejected),
            "examples": self.examples,
            "unknown_columns": self.unknown_columns,
            "companions": self.companions,
            "records": self.records,
            "lost": self.lost,
        }
        more = {"gaps": self.gaps, "resume": self.resume, "pending": self.pending, "local": self.local}
        return {**kept, **{name: value for name, value in more.items() if value}}

    def gap(self, what: str) -> None:
        """Record that the source lacks readings, in words that say of what, from when to when, and why."""
        if what not in self.gaps and MORE_GAPS not in self.gaps:
            self.gaps.append(what if len(self.gaps) < GAPS else MORE_GAPS)

    def add(self, part: Tally) -> None:
        """Add the counts of a part of the item."""
        self.rejected.update(part.rejected)
        for reason, examples in part.examples.items():
            kept = self.examples.setdefault(reason, [])
            kept.extend(examples[: EXAMPLES - len(kept)])
        self.unknown_columns.extend(name for name in part.unknown_columns if name not in self.unknown_columns)
        self.companions |= part.companions
        self.records += part.records
        self.lost += part.lost
        self.local |= part.local
        for gap in part.gaps:
            self.gap(gap)

    def reject(self, reason: str, count: int) -> int:
        """Count rejections. Returns how many more examples of the reason to keep; may be negative.

        Raises ValueError for a reason that is not one of `reject_reasons.REASONS`.
        """
        if reason not in REASONS:
            raise ValueError(f"unknown reason {reason!r}: use one of {', '.join(REASONS)}")
        self.rejected[reason] += count
        return EXAMPLES - len(self.examples.get(reason, ()))

    def example(self, reason: str, where: str, detail: str) -> None:
        """Keep one rejection as an example. `where`: `file:line`."""
        self.examples.setdefault(reason, []).append(f"{where}: {detail}")


@runtime_checkable
class Importer(Protocol):
    """Reads one source. Created from the source's settings and the site by the callable that its type names."""

    def items(self) -> Sequence[SourceItem]:
        """The items that can be imported now. Raises EugenieError if the source cannot be accessed."""

    def missing(self, key: str) -> str:
        """Why `items` no longer contains an imported item, e.g. "its file is gone"."""

    def settings(self) -> Mapping[str, Any]:
        """Everything that decides how an item is read; when it changes, items are read again."""

    def digest(self, item: SourceItem) -> str:
        """A hash of the item's content. Not called for a known item whose state, names and settings are unchanged."""

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The item's readings, in bounded memory. Reports progress in bytes to `advance`. Raises EugenieError."""


@runtime_checkable
class PlannedImporter(Importer, Protocol):
    """Reads a source whose items depend on what was imported before, such as windows of time up to now.

    An item without any record is normal there. `stopped`: why no further item is to be read in this import, or None;
    `interrupted`: whether the reason is a signal; `progress_unit`: of the items' sizes.
    """

    progress_unit: str
    stopped: str | None
    interrupted: bool

    def plan(self, held: Mapping[str, Item]) -> Sequence[SourceItem]:
        """The items, given those in the history by key. Raises EugenieError if it asks the source in vain."""

    def recognized(self, held: Mapping[str, Item]) -> Sequence[SourceItem]:
        """Those of the items in the history that are still the source's. Does not ask the source, which may be down."""

    def close(self) -> None:
        """Release connections, after the last item."""


@runtime_checkable
class GrowingImporter(Importer, Protocol):
    """Reads items that may grow, such as the file of a logger."""

    def continues(self, item: SourceItem, state: Mapping[str, Any]) -> bool:
        """Whether the item begins with what was imported, so that `read_on` can read the rest. `state`: what was kept
        with it.
        """

    def read_on(self, item: SourceItem, state: Mapping[str, Any], tally: Tally, advance: Advance) -> Iterator[Batch]:
        """As `read`, only what was added to the item; `tally` has the counts up to there."""


def importer_for(source: SourceSettings, site: Site) -> Importer:
    """The importer of a source, by its type. Raises EugenieError that names the package if it is unusable."""
    make: Callable[[SourceSettings, Site], Importer] = importer_factory(source.type)
    if not callable(make):
        raise broken(source.type, "has an importer that cannot be called")
    importer = make(source, site)
    if not isinstance(importer, Importer):
        raise broken(source.type, f"makes a {type(importer).__name__}, which lacks methods of an importer")
    return importer


def settings_digest(importer: Importer) -> str:
    """SHA-256 of an importer's settings and the version of the mapping rules.

    When it changes, items are read again.
    """
    settings = {**importer.settings(), "rules": RULES_VERSION}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def router_of(site: Site) -> Router:
    """The routing of a site's assets."""
    return Router(
        {name: {"class": asset.class_name, "tags": dict(asset.tags)} for name, asset in site.assets.items()},
        {name: equipment.sensor_names for name, equipment in site.classes.items()},
    )
