"""Importing: sources -> history. What is unchanged is left alone; what fails does not stop the rest."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.importers.importer import Importer, SourceItem, Tally, importer_for
from eugenie_cli.history.manifest import Item
from eugenie_cli.history.open import open_history
from eugenie_cli.history.store import SourceWriter
from eugenie_cli.progress import SILENT, Advance, Progress
from eugenie_cli.readings import RULES_VERSION
from eugenie_cli.site.model import Site


@dataclass
class SourceReport:
    """What an import of one source did, and what the source now holds.

    Items are files, say. `readings`, `bad_quality`, `rejected` (by reason), `start_ms` and `end_ms`
    (inclusive) are of all its items, imported now or before; `failed` are errors of items that could not be
    read. `repeated` readings share asset, sensor and instant with another one of their item. `conflicts` are instants
    of a sensor for which readings disagree, of one item or of several (of another source, too).
    """

    source: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: list[str] = field(default_factory=list)
    readings: int = 0
    bad_quality: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown_columns: dict[str, int] = field(default_factory=dict)
    start_ms: int | None = None
    end_ms: int | None = None
    seconds: float = 0.0
    repeated: int = 0
    conflicts: int = 0

    def take(self, item: Item) -> None:
        """Add an item that history now holds."""
        self.readings += item.rows
        self.bad_quality += item.bad
        self.repeated += sum(part.repeated for part in item.parts)
        self.conflicts += sum(part.conflicts for part in item.parts)
        for reason, count in item.state["rejected"].items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for column in item.state["unknown_columns"]:
            self.unknown_columns[column] = self.unknown_columns.get(column, 0) + 1
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
    known = [source.name for source in site.sources]
    for name in names:
        if name not in known:
            raise EugenieError(
                f"site {site.site} has no source {name!r}", hint=f"sources: {', '.join(known) or 'none'}"
            )
    if not known:
        raise EugenieError(f"site {site.site} has no sources", hint=f"add `sources` to {site.file}")
    chosen = [source for source in site.sources if not names or source.name in names]
    reports = [_import_source(site, source, progress, again) for source in chosen]
    _count_conflicts(site, reports)
    if not any(report.new + report.changed + report.unchanged for report in reports):
        raise EugenieError("nothing could be imported: " + "; ".join(e for report in reports for e in report.failed))
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


def _import_source(site: Site, source: Any, progress: Progress, again: bool) -> SourceReport:
    report = SourceReport(source.name)
    began = time.monotonic()
    try:
        importer = importer_for(source, site)
        items = importer.items()
    except EugenieError as error:
        report.failed.append(error.reason)
        return report
    settings = _settings_digest(importer)
    history = open_history(site)
    total = sum(item.size for item in items)
    with (
        history.writer(source.name) as writer,
        progress.task(f"import {source.name}", total, "bytes") as advance,
    ):
        known = history.items(source.name)
        for item in items:
            try:
                _import_item(importer, item, known.get(item.key), settings, again, writer, report, advance)
            except EugenieError as error:
                report.failed.append(error.reason)
    report.seconds = round(time.monotonic() - began, 3)
    return report


def _import_item(
    importer: Importer,
    item: SourceItem,
    known: Item | None,
    settings: str,
    again: bool,
    writer: SourceWriter,
    report: SourceReport,
    advance: Advance,
) -> None:
    """Bring one item up to date, and count it."""
    same = known if known is not None and known.state["settings"] == settings and not again else None
    if same is not None and same.state["item"] == dict(item.state):
        advance(item.size)
        report.unchanged += 1
        report.take(same)
        return
    digest = importer.digest(item)
    if same is not None and same.state["digest"] == digest:
        advance(item.size)
        report.unchanged += 1
        report.take(
            writer.keep(
                item.key, replace(same, state={**same.state, "item": dict(item.state), "exported": same.exported})
            )
        )
        return
    tally = Tally()
    # the same content, touched or read by other rules, is as old as it was: what counts must not change with it
    exported = known.exported if known is not None and known.state["digest"] == digest else 0

    def state() -> dict[str, Any]:
        return {
            "item": dict(item.state),
            "digest": digest,
            "exported": exported or item.state.get("mtime_ns", 0),
            "settings": settings,
            "rejected": dict(tally.rejected),
            "examples": tally.examples,
            "unknown_columns": tally.unknown_columns,
        }

    imported = writer.replace(item.key, importer.read(item, tally, advance), state)
    if known is None:
        report.new += 1
    else:
        report.changed += 1
    report.take(imported)


def _settings_digest(importer: Importer) -> str:
    """What decides how an item is read: the importer's settings, and the rules by which records become readings."""
    settings = {**importer.settings(), "rules": RULES_VERSION}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
