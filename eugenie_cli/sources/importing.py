"""Imports sources into the history, or lists what they offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.names import named
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_types import SourceSettings
from eugenie_cli.sources.guard import open_importer
from eugenie_cli.sources.interface import importer_for
from eugenie_cli.sources.leftovers import Listing, leftover_notes, leftovers
from eugenie_cli.sources.report import SourceReport
from eugenie_cli.sources.source_import import Opening, import_source
from eugenie_cli.sources.windows.browsing import Browsed


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
    chosen = [source for source in site.sources if source.name in names or not (names or source.live_only)]
    if not chosen:
        raise EugenieError(
            f"site {site.site} has only live sources, which have no history: {', '.join(known)}",
            hint="`eugenie bridge SOURCE` sends their readings to the site's topic, from which a source of type kafka"
            " imports them",
        )
    history, live = open_history(site), tuple(known)
    listings: dict[str, Listing] = {}
    history.vacuum()
    opened = [
        Opening(
            source.name, source.type, partial(importer_for, source, site), history, live, listings, _unit_of(source)
        )
        for source in chosen
    ]
    reports = [import_source(source, progress, again=again) for source in opened]
    _count_conflicts(site, reports)
    _add_leftovers(site, reports, listings)
    if not any(report.new + report.changed + report.unchanged for report in reports) and not _only_waiting(reports):
        raise EugenieError(
            "nothing could be imported: " + "; ".join(error for report in reports for error in report.failed),
            hint="; ".join(note.strip() for report in reports for note in leftover_notes(report.left)) or None,
        )
    return reports


def _unit_of(source: SourceSettings) -> str:
    """The unit of a source's instants; "iso" for formats, elapsed time, and types without a mapping."""
    readings = getattr(source, "readings", None)
    if not isinstance(readings, ReadingsMapping) or readings.ts.all_formats or readings.ts.start:
        return "iso"
    return readings.ts.unit


def _only_waiting(reports: Sequence[SourceReport]) -> bool:
    """Whether nothing was imported because it is left for later, and for no other reason."""
    return any(report.unread for report in reports) and not any(report.failed for report in reports)


def browse_source(site: Site, name: str, pattern: str | None = None) -> list[Browsed]:
    """The tags of a source that match a pattern, by name. Raises EugenieError."""
    known = {source.name: source for source in site.sources}
    source = named("source", name, known, site.site)
    with closing(open_importer(partial(importer_for, source, site), source.type)) as importer:
        return sorted(importer.browse(pattern), key=lambda browsed: (browsed.tag, browsed.sensor or ""))


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


def _add_leftovers(site: Site, reports: list[SourceReport], listings: Mapping[str, Listing]) -> None:
    """Add the leftovers of every source, imported now or not, to the reports."""
    by_name = {report.source: report for report in reports}
    for leftover in leftovers(site, open_history(site).sources(), listings):
        if leftover.source not in by_name:
            by_name[leftover.source] = SourceReport(leftover.source)
            reports.append(by_name[leftover.source])
        by_name[leftover.source].left.append(leftover)
