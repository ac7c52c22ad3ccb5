"""Importing: sources -> history. What is unchanged is left alone; what fails does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
from eugenie_cli.sources.interface import Importer, SourceItem, Tally, settings_digest
from eugenie_cli.sources.leftovers import Leftover, counted, leftover_notes, leftovers


@dataclass
class SourceReport:
    """What an import of one source did, and what the source now holds.

    Items are files, say. `readings`, `bad_quality`, `rejected` (by reason), `start_ms` and `end_ms`
    (inclusive) are of all its items, imported now or before; `failed` are errors of items that could not be
    read, each with what to do; `poor` says which items gave no readings, or fewer than they lost; `moved` of
    the unchanged or changed ones were known by another name; `companions` are columns that look like part of
    another (see `Tally`), with how many items have them; `left` is what history holds of the source that the
    site file does not lead to. A source that the site file no longer has, has a report of its own if something
    of it is left. `repeated` readings share asset, sensor and instant with another one of their item. `conflicts` are
    instants of a sensor for which readings disagree, of one item or of several (of another source, too).
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
        """Whether all of it came in, and most of each item."""
        return not self.failed and not self.poor

    def fail(self, error: EugenieError, kept: int = 0) -> None:
        """Note an item, or the whole source, that could not be read; history keeps the `kept` readings it had."""
        told = error.reason + (f"; history keeps the {counted(kept, 'reading')} of its last import" if kept else "")
        self.failed.append(f"{told} (next: {error.hint})" if error.hint else told)

    def take(self, key: str, item: Item) -> None:
        """Add an item that history now holds."""
        self.readings += item.rows
        self.bad_quality += item.bad
        self.repeated += sum(part.repeated for part in item.parts)
        self.conflicts += sum(part.conflicts for part in item.parts)
        for reason, count in item.state["rejected"].items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for column in item.state["unknown_columns"]:
            self.unknown_columns[column] = self.unknown_columns.get(column, 0) + 1
        for column, kind in item.state.get("companions", {}).items():
            of_kind = self.companions.setdefault(kind, {})
            of_kind[column] = of_kind.get(column, 0) + 1
        if (poor := _poor(key, item)) is not None:
            self.poor.append(poor)
        for reason, examples in item.state["examples"].items():
            known = self.examples.setdefault(reason, [])
            known.extend(examples[: max(0, EXAMPLES_SHOWN - len(known))])
        for part in item.parts:
            for span in part.assets.values():
                self.start_ms = span.start if self.start_ms is None else min(self.start_ms, span.start)
                self.end_ms = span.end if self.end_ms is None else max(self.end_ms, span.end)


EXAMPLES_SHOWN = 3  # of each reason and source


def import_sources(
    site: Site, names: Sequence[str] = (), progress: Progress = SILENT, *, again: bool = False
) -> list[SourceReport]:
    """Import the named sources of a site (none named: all), in the file's order.

    `again` reads everything anew. Raises EugenieError for a source that the site does not have, and when
    nothing at all could be read.
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
            "nothing could be imported: " + "; ".join(e for report in reports for e in report.failed),
            hint="; ".join(note.strip() for report in reports for note in leftover_notes(report.left)) or None,
        )
    return reports


def _count_conflicts(site: Site, reports: Sequence[SourceReport]) -> None:
    """Add what exports say against each other. What was imported stays imported where an older part cannot be read."""
    try:
        found = open_history(site).look_into_overlaps()
    except (EugenieError, OSError, ValueError) as error:  # a part that is gone; Arrow's errors are of the other two
        reports[0].failed.append(f"exports that overlap could not be compared: {error}")
        return
    for report in reports:
        report.conflicts += found.conflicts.get(report.source, 0)
        report.repeated += found.repeated.get(report.source, 0)


def _add_leftovers(site: Site, reports: list[SourceReport]) -> None:
    """What history holds that the site file does not lead to: of every source, imported now or not."""
    by_name = {report.source: report for report in reports}
    for left in leftovers(site, open_history(site).sources()):
        if left.source not in by_name:
            by_name[left.source] = SourceReport(left.source)
            reports.append(by_name[left.source])
        by_name[left.source].left.append(left)


def _import_source(site: Site, source: Any, progress: Progress, again: bool) -> SourceReport:
    report = SourceReport(source.name)
    began = time.monotonic()
    try:
        importer = open_importer(source, site)
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
        known = Adoption(source.name, history.sources(), items, (one.name for one in site.sources))
        run = _Run(importer, settings, again, known, writer, report, advance)
        for item in items:
            try:
                run.bring_in(item)
            except EugenieError as error:
                report.fail(error, known.readings(item))
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

    def bring_in(self, item: SourceItem) -> None:
        """Bring one item up to date, and count it."""
        known = self.adoption.by_name(item)
        if (
            known is not None
            and item.state
            and known.item.state["item"] == dict(item.state)
            and self._as_now(known, item)
        ):
            self._keep(item, [known])
            return
        digest = self.importer.digest(item)
        known = known or self.adoption.by_content(item, digest)
        replaced = [known] if known is not None else self.adoption.elsewhere(item, digest)
        known = next(iter(replaced), None)
        same = known is not None and known.item.state["digest"] == digest
        if known is not None and same and self._as_now(known, item):
            self._keep(item, replaced)
            return
        tally = Tally()
        # the same content, touched, moved or read by other rules, is as old as it was: what counts must not change
        exported = known.item.exported if known is not None and same else 0

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
        imported = self.writer.replace(item.key, batches, state, instead_of=[(one.source, one.key) for one in replaced])
        if known is None:
            self.report.new += 1
        else:
            self.report.changed += 1
            self.report.moved += self._moved(known, item)
        self.report.take(item.key, imported)

    def _as_now(self, known: Known, item: SourceItem) -> bool:
        """Whether an item would be read today as it was."""
        return known.item.state["settings"] == self.settings and not self.again and same_names(known, item)

    def _keep(self, item: SourceItem, replaced: Sequence[Known]) -> None:
        """Leave an item as the first of `replaced` has it, under today's key and with today's state."""
        self.advance(item.size)
        known = replaced[0]
        kept = known.item
        now = {"item": dict(item.state), "names": dict(item.names), "exported": kept.exported}
        here = (known.source, known.key) == (self.report.source, item.key)
        if not here or now != {name: kept.state.get(name) for name in now}:
            kept = replace(kept, state={**kept.state, **now})
            self.writer.keep(item.key, kept, instead_of=[(one.source, one.key) for one in replaced])
        self.report.unchanged += 1
        self.report.moved += self._moved(known, item)
        self.report.take(item.key, kept)

    def _moved(self, known: Known, item: SourceItem) -> bool:
        return known.source != self.report.source or known.key not in (item.key, *item.aliases)


def _poor(key: str, item: Item) -> str | None:
    """What to say of an item that gave nothing, or of which more was lost than taken; None for others."""
    state, name = item.state, printable(key)
    if "records" not in state:  # imported by a version that did not count them
        return None
    records, lost, rejected = state["records"], state["lost"], sum(state["rejected"].values())
    if not records:
        return f"{name} has a header and no rows"
    if not item.rows and not rejected:
        return f"{name} gave no readings: its columns are no sensor or tag of the site, or they are empty"
    if not item.rows:
        return f"{name} gave no readings: {counted(rejected, 'rejection')} in {counted(records, 'row')}"
    if 2 * lost > records:
        return f"{name}: {lost:,} of its {records:,} rows were rejected"
    if rejected > item.rows:
        return f"{name}: {rejected:,} values were rejected, {item.rows:,} taken"
    return None
