"""The import of one source: unchanged items are skipped, and an item that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.manifest import Item
from eugenie_cli.history.store import History, SourceWriter
from eugenie_cli.progress import Advance, Progress
from eugenie_cli.sources.adoption import Adoption, Known, same_names
from eugenie_cli.sources.confused_units import doubt_of_items
from eugenie_cli.sources.failures import SourceDownError
from eugenie_cli.sources.guard import GuardedImporter, open_importer
from eugenie_cli.sources.interface import Importer, SourceItem, Tally, settings_digest
from eugenie_cli.sources.leftovers import Listing
from eugenie_cli.sources.report import SourceReport


@dataclass(frozen=True)
class Opening:
    """How to import a source into a history. `live`: the names of the site file's sources; `listings`: takes the items
    that were listed, unless they depend on what was imported before. `unit`: in which instants are read.
    """

    name: str
    type: str
    importer: Callable[[], Importer]
    history: History
    live: tuple[str, ...]
    listings: dict[str, Listing]
    unit: str = "iso"


def import_source(source: Opening, progress: Progress, *, again: bool) -> SourceReport:
    """Import one source. Its errors are in the report."""
    report = SourceReport(source.name)
    began = time.monotonic()
    try:
        importer = open_importer(source.importer, source.type)
        items = importer.items(source.history.items(source.name))
        settings = settings_digest(importer)
    except EugenieError as error:
        report.fail(error)
        return report
    if importer.planned is None:
        source.listings[source.name] = Listing(importer, items, settings)
    total = sum(item.size for item in items)
    unit = importer.planned.progress_unit if importer.planned is not None else "bytes"
    with (
        source.history.writer(source.name) as writer,
        progress.task(f"import {source.name}", total, unit) as advance,
        closing(importer),
    ):
        adoption = Adoption(source.name, source.history.sources(), items, source.live)
        run = _Run(importer, settings, again, adoption, writer, report, advance)
        for item in items:
            run.update(item)
    report.doubts += filter(None, [doubt_of_items(run.taken, source.unit, time.time_ns() // 1_000_000)])
    if importer.planned is not None:
        if importer.planned.interrupted:
            raise KeyboardInterrupt
        if not report.readings and report.whole and not report.unread:
            report.poor.append("no item gave readings: check the mapping, and the tags of the site")
    report.seconds = round(time.monotonic() - began, 3)
    return report


@dataclass
class _Run:
    """One import of one source. `down`: why its items cannot be read any more; `taken`: the items in the history."""

    importer: GuardedImporter
    settings: str
    again: bool
    adoption: Adoption
    writer: SourceWriter
    report: SourceReport
    advance: Advance
    down: str | None = None
    taken: list[Item] = field(default_factory=list)

    def update(self, item: SourceItem) -> None:
        """Bring one item up to date, and count it, or its error."""
        try:
            self._update(item)
        except SourceDownError as error:
            self.report.fail(error, self.adoption.readings(item))
            self.down = "the source could not be used"
        except EugenieError as error:
            self.report.fail(error, self.adoption.readings(item))

    def _update(self, item: SourceItem) -> None:
        known = self.adoption.by_name(item)
        if (
            known is not None
            and item.state
            and known.item.state["item"] == dict(item.state)
            and (item.fixed or self._reads_alike(known, item))
            and not known.item.state.get("pending")
        ):
            self._keep(item, [known])
            return
        if (why := self._stopped()) is not None:
            self.report.leave(why)
            if known is not None:
                self._take(known.key, known.item)
            return
        grown = known if known is not None and self._continues(known, item) else None
        digest = self.importer.digest(item)
        known = known or self.adoption.by_content(item, digest)
        replaced = [known] if known is not None else self.adoption.elsewhere(item, digest)
        known = next(iter(replaced), None)
        same_content = known is not None and known.item.state["digest"] == digest
        if (
            known is not None
            and same_content
            and self._reads_alike(known, item)
            and not known.item.state.get("pending")
        ):
            self._keep(item, replaced)
            return
        tally = Tally() if grown is None else Tally.of(grown.item.state)
        # unchanged content keeps its age when it is touched, moved or read by other rules: the export that counts must
        # not change
        exported = known.item.exported if known is not None and same_content else 0

        def state() -> dict[str, Any]:
            return {
                "item": dict(item.state),
                "names": dict(item.names),
                "digest": digest,
                "exported": exported or item.state.get("mtime_ns", 0),
                "settings": self.settings,
                **tally.state(),
            }

        batches = self.importer.read(item, tally, self.advance, None if grown is None else grown.item.state)
        if grown is not None:
            imported = self.writer.extend(item.key, grown.item, batches, state)
        else:
            former = [(entry.source, entry.key) for entry in replaced]
            imported = self.writer.replace(item.key, batches, state, instead_of=former)
        if known is None:
            self.report.new += 1
        else:
            self.report.changed += 1
            self.report.moved += self._moved(known, item)
        self._take(item.key, imported)

    def _reads_alike(self, known: Known, item: SourceItem) -> bool:
        """Whether reading the item now would give the same readings, if its content is the same."""
        return known.item.state["settings"] == self.settings and not self.again and same_names(known, item)

    def _continues(self, known: Known, item: SourceItem) -> bool:
        """Whether the item is what was imported under its key, with something added."""
        same = (known.source, known.key) == (self.report.source, item.key)
        return same and self._reads_alike(known, item) and self.importer.continues(item, known.item.state)

    def _keep(self, item: SourceItem, replaced: Sequence[Known]) -> None:
        """Keep the readings of `replaced[0]`, under the item's current key and with its current state."""
        self.advance(item.size)
        known = replaced[0]
        kept = known.item
        current = {"item": dict(item.state), "names": dict(item.names), "exported": kept.exported}
        same_key = (known.source, known.key) == (self.report.source, item.key)
        if not same_key or current != {name: kept.state.get(name) for name in current}:
            kept = replace(kept, state={**kept.state, **current})
            self.writer.keep(item.key, kept, instead_of=[(entry.source, entry.key) for entry in replaced])
        self.report.unchanged += 1
        self.report.moved += self._moved(known, item)
        self._take(item.key, kept)

    def _take(self, key: str, item: Item) -> None:
        self.taken.append(item)
        self.report.take(key, item, may_be_empty=self.importer.planned is not None)

    def _stopped(self) -> str | None:
        return self.down or (self.importer.planned.stopped if self.importer.planned is not None else None)

    def _moved(self, known: Known, item: SourceItem) -> bool:
        return known.source != self.report.source or known.key not in (item.key, *item.aliases)
