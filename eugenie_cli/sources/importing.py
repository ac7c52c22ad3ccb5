"""Imports sources into the history. Unchanged items are skipped; an item that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.manifest import Item
from eugenie_cli.history.site_history import open_history
from eugenie_cli.history.store import SourceWriter
from eugenie_cli.printable import printable
from eugenie_cli.progress import SILENT, Advance, Progress
from eugenie_cli.site.names import named
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.adoption import Adoption, Known, same_names
from eugenie_cli.sources.guard import open_importer
from eugenie_cli.sources.interface import Importer, SourceItem, Tally, importer_for, settings_digest
from eugenie_cli.sources.leftovers import Leftover, counted, leftover_notes, leftovers


@dataclass
class SourceReport:
    """The result of importing one source.

    Items are files, for example. `new`, `changed` and `unchanged` count them. `readings`, `bad_quality`, `rejected`
    (by reason), `start_ms` and `end_ms` (inclusive) cover all items, imported now or earlier. `failed`: errors of items
    that could not be read, each with the next step. `poor`: items that gave no readings, or lost more than they gave.
    `moved`: unchanged or changed items that were known under another name. `unknown_columns` and `companions` (columns
    that look like part of another, see `Tally`): with the number of items that have them. `left`: items of the source
    in the history that the site file no longer leads to; a source that is no longer in the site file has its own report
    if any are left. `repeated`: readings that share asset, sensor and instant with another of their item. `conflicts`:
    instants of a sensor at which readings disagree, within an item or between items (of any source).
    """

    source: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    failed: list[str] = field(default_factory=list)
    poor: list[str] = field(default_factory=list)
    readings: int = 0
    bad_quality: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown_columns: dict[str, int] = field(default_factory=dict)
    companions: dict[str, dict[str, int]] = field(default_factory=dict)
    left: list[Leftover] = field(default_factory=list)
    start_ms: int | None = None
    end_ms: int | None = None
    seconds: float = 0.0
    repeated: int = 0
    conflicts: int = 0

    @property
    def whole(self) -> bool:
        """Whether every item was imported, and most of each."""
        return not self.failed and not self.poor

    def fail(self, error: EugenieError, kept: int = 0) -> None:
        """Record that an item, or the whole source, could not be read. `kept`: its readings that the history keeps."""
        reason = error.reason + (f"; history keeps the {counted(kept, 'reading')} of its last import" if kept else "")
        self.failed.append(f"{reason} (next: {error.hint})" if error.hint else reason)

    def take(self, key: str, item: Item) -> None:
        """Add an item that is now in the history."""
        self.readings += item.rows
        self.bad_quality += item.bad
        self.repeated += sum(part.repeated for part in item.parts)
        self.conflicts += sum(part.conflicts for part in item.parts)
        for reason, count in item.state["rejected"].items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for column in item.state["unknown_columns"]:
            self.unknown_columns[column] = self.unknown_columns.get(column, 0) + 1
        for column, kind in item.state.get("companions", {}).items():
            counts = self.companions.setdefault(kind, {})
            counts[column] = counts.get(column, 0) + 1
        if (poor := _poor(key, item)) is not None:
            self.poor.append(poor)
        for reason, examples in item.state["examples"].items():
            shown = self.examples.setdefault(reason, [])
            shown.extend(examples[: max(0, EXAMPLES_SHOWN - len(shown))])
        for part in item.parts:
            for span in part.assets.values():
                self.start_ms = span.start if self.start_ms is None else min(self.start_ms, span.start)
                self.end_ms = span.end if self.end_ms is None else max(self.end_ms, span.end)


EXAMPLES_SHOWN = 3  # of each reason and source


def import_sources(
    site: Site, names: Sequence[str] = (), progress: Progress = SILENT, *, again: bool = False
) -> list[SourceReport]:
    """Import the named sources of a site (default: all), in the site file's order.

    `again`: also read unchanged items. Raises EugenieError for an unknown source, and if nothing could be read.
    """
    known = {source.name: source for source in site.sources}
    for name in names:
        named("source", name, known, site.site)
    if not known:
        raise EugenieError(f"site {site.site} has no sources", hint=f"add `sources` to {site.file}")
    chosen = [source for source in site.sources if not names or source.name in names]
    open_history(site).vacuum()
    reports = [_import_source(site, source, progress, again) for source in chosen]
    _count_conflicts(site, reports)
    _add_leftovers(site, reports)
    if not any(report.new + report.changed + report.unchanged for report in reports):
        raise EugenieError(
            "nothing could be imported: " + "; ".join(error for report in reports for error in report.failed),
            hint="; ".join(note.strip() for report in reports for note in leftover_notes(report.left)) or None,
        )
    return reports


def _count_conflicts(site: Site, reports: Sequence[SourceReport]) -> None:
    """Add the disagreements between exports. An unreadable older part does not undo this import."""
    try:
        overlaps = open_history(site).look_into_overlaps()
    except (EugenieError, OSError, ValueError) as error:  # a missing part; Arrow raises subclasses of the other two
        reports[0].failed.append(f"overlapping exports could not be compared: {error}")
        return
    for report in reports:
        report.conflicts += overlaps.conflicts.get(report.source, 0)
        report.repeated += overlaps.repeated.get(report.source, 0)


def _add_leftovers(site: Site, reports: list[SourceReport]) -> None:
    """Add the leftovers of every source, imported now or not, to the reports."""
    by_name = {report.source: report for report in reports}
    for leftover in leftovers(site, open_history(site).sources()):
        if leftover.source not in by_name:
            by_name[leftover.source] = SourceReport(leftover.source)
            reports.append(by_name[leftover.source])
        by_name[leftover.source].left.append(leftover)


def _import_source(site: Site, source: Any, progress: Progress, again: bool) -> SourceReport:
    report = SourceReport(source.name)
    began = time.monotonic()
    try:
        importer = open_importer(partial(importer_for, source, site), source.type)
        items = importer.items()
        settings = settings_digest(importer)
    except EugenieError as error:
        report.fail(error)
        return report
    history = open_history(site)
    total = sum(item.size for item in items)
    with (
        history.writer(source.name) as writer,
        progress.task(f"import {source.name}", total, "bytes") as advance,
    ):
        adoption = Adoption(source.name, history.sources(), items, (configured.name for configured in site.sources))
        run = _Run(importer, settings, again, adoption, writer, report, advance)
        for item in items:
            try:
                run.update(item)
            except EugenieError as error:
                report.fail(error, adoption.readings(item))
    report.seconds = round(time.monotonic() - began, 3)
    return report


@dataclass(frozen=True)
class _Run:
    """One import of one source."""

    importer: Importer
    settings: str
    again: bool
    adoption: Adoption
    writer: SourceWriter
    report: SourceReport
    advance: Advance

    def update(self, item: SourceItem) -> None:
        """Bring one item up to date, and count it."""
        known = self.adoption.by_name(item)
        if (
            known is not None
            and item.state
            and known.item.state["item"] == dict(item.state)
            and self._reads_alike(known, item)
        ):
            self._keep(item, [known])
            return
        digest = self.importer.digest(item)
        known = known or self.adoption.by_content(item, digest)
        replaced = [known] if known is not None else self.adoption.elsewhere(item, digest)
        known = next(iter(replaced), None)
        same_content = known is not None and known.item.state["digest"] == digest
        if known is not None and same_content and self._reads_alike(known, item):
            self._keep(item, replaced)
            return
        tally = Tally()
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
                "rejected": dict(tally.rejected),
                "examples": tally.examples,
                "unknown_columns": tally.unknown_columns,
                "companions": tally.companions,
                "records": tally.records,
                "lost": tally.lost,
            }

        batches = self.importer.read(item, tally, self.advance)
        former = [(entry.source, entry.key) for entry in replaced]
        imported = self.writer.replace(item.key, batches, state, instead_of=former)
        if known is None:
            self.report.new += 1
        else:
            self.report.changed += 1
            self.report.moved += self._moved(known, item)
        self.report.take(item.key, imported)

    def _reads_alike(self, known: Known, item: SourceItem) -> bool:
        """Whether reading the item now would give the same readings, if its content is the same."""
        return known.item.state["settings"] == self.settings and not self.again and same_names(known, item)

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
        self.report.take(item.key, kept)

    def _moved(self, known: Known, item: SourceItem) -> bool:
        return known.source != self.report.source or known.key not in (item.key, *item.aliases)


def _poor(key: str, item: Item) -> str | None:
    """A sentence about an item that gave no readings, or lost more than it gave; None for others."""
    state, name = item.state, printable(key)
    if "records" not in state:  # imported by a version that did not count records
        return None
    records, lost, rejected = state["records"], state["lost"], sum(state["rejected"].values())
    if not records and not item.rows and not rejected:
        return f"{name} contains no rows"
    if not item.rows and not rejected:
        return f"{name} gave no readings: its columns match no sensor or tag of the site, or are empty"
    if not item.rows:
        rows = f" in {counted(records, 'row')}" if records else ""
        return f"{name} gave no readings: {counted(rejected, 'rejection')}{rows}"
    if records and 2 * lost > records:  # without records the importer does not count them
        return f"{name}: {lost:,} of its {records:,} rows were rejected"
    if rejected > item.rows:
        return f"{name}: {rejected:,} values were rejected, {item.rows:,} imported"
    return None
