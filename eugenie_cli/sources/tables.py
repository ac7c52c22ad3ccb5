"""History for people: rows of tables, and notes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.history.quality import SensorQuality
from eugenie_cli.history.store import History
from eugenie_cli.printable import printable
from eugenie_cli.readings.timestamps import FIRST_PLAUSIBLE
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import SourceReport
from eugenie_cli.sources.leftovers import Leftover, counted, leftover_notes, leftovers

CLOCK_MS = 60_000  # by which the clock that wrote a file may be ahead of this machine's
SHOWN_COLUMNS = 8  # unknown columns in a note
SHOWN_NAME = 60  # of a column's name
SHOWN_ITEMS = 5  # items of which little came in


@dataclass(frozen=True)
class AssetView:
    """An asset and what history has of it. Instants are inclusive, None without readings."""

    asset: str
    class_name: str | None
    readings: int
    start_ms: int | None
    end_ms: int | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class HistoryView:
    """A whole history: `fingerprint` changes with any reading; `left` is what the site file does not lead to."""

    fingerprint: str
    assets: tuple[AssetView, ...]
    left: tuple[Leftover, ...] = ()


def history_view(site: Site, history: History) -> HistoryView:
    """Every asset of the site, with or without readings; then assets that only history knows."""
    held = {summary.asset: summary for summary in history.summary()}
    views = []
    for name in [*site.assets, *(name for name in held if name not in site.assets)]:
        class_name = site.assets[name].class_name if name in site.assets else None
        if name in held:
            kept = held[name]
            views.append(AssetView(name, class_name, kept.readings, kept.start_ms, kept.end_ms, kept.sources))
        else:
            views.append(AssetView(name, class_name, 0, None, None, ()))
    return HistoryView(history.fingerprint(), tuple(views), tuple(leftovers(site, history.sources())))


def asset_rows(view: HistoryView) -> Iterator[tuple[str, ...]]:
    """Rows: asset, class, readings, from, to, sources."""
    for asset in view.assets:
        yield (
            asset.asset,
            asset.class_name or "not in the site file",
            f"{asset.readings:,}",
            instant(asset.start_ms),
            instant(asset.end_ms),
            ", ".join(asset.sources),
        )


def import_rows(reports: Sequence[SourceReport]) -> Iterator[tuple[str, ...]]:
    """Rows: source, new, changed, unchanged, failed, readings, bad quality, rejected, from, to."""
    for report in reports:
        counts = (report.new, report.changed, report.unchanged, len(report.failed))
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report.rejected.items()))
        yield (
            report.source,
            *map(str, counts),
            f"{report.readings:,}",
            f"{report.bad_quality:,}",
            reasons or "0",
            instant(report.start_ms),
            instant(report.end_ms),
        )


def import_notes(reports: Sequence[SourceReport], now_ms: int | None = None) -> Iterator[str]:
    """What went wrong, in full sentences: instants that cannot be, items that failed or gave little, columns that
    nothing is made of, readings that meet at one instant, rejected records, and what history has beside the site file.
    What matters most is said first. `now_ms`: of the clock; default: this machine's.
    """
    now_ms = int(time.time() * 1_000) if now_ms is None else now_ms
    for report in reports:
        yield from _implausible(report, now_ms)
        for error in report.failed:
            yield f"{report.source}: failed: {error}"
        yield from (f"{report.source}: {poor}" for poor in report.poor[:SHOWN_ITEMS])
        if len(report.poor) > SHOWN_ITEMS:
            yield f"{report.source}: and {len(report.poor) - SHOWN_ITEMS:,} more files like these (-o json names them)"
    for report in reports:
        yield from leftover_notes(report.left)
        if report.moved:
            yield f"{report.source}: {report.moved:,} known by another place or name, and not imported twice"
        yield from _meetings(report)
        yield from (f"{report.source}: {note}" for note in _column_notes(report))
        for reason, examples in sorted(report.examples.items()):
            yield f"{report.source}: {report.rejected[reason]:,} {reason}, for example"
            yield from (f"  {example}" for example in examples)


def _implausible(report: SourceReport, now_ms: int) -> Iterator[str]:
    hint = "check `unit`, `format` and `timezone` of `ts`"
    if report.start_ms is not None and report.start_ms < FIRST_PLAUSIBLE:
        yield f"{report.source}: there are readings of {instant(report.start_ms)}, before 1990: {hint}"
    if report.end_ms is not None and report.end_ms > now_ms + CLOCK_MS:
        yield f"{report.source}: there are readings of {instant(report.end_ms)}, ahead of this machine's clock: {hint}"


def _meetings(report: SourceReport) -> Iterator[str]:
    if report.conflicts:
        instants = counted(report.conflicts, "instant")
        yield (
            f"{report.source}: readings of one sensor disagree at {instants}: the export that was written last counts,"
            " within one file the larger value (`eugenie history quality` shows which sensors)"
        )
    if report.repeated:
        readings = counted(report.repeated, "reading")
        yield (
            f"{report.source}: sensor and instant of {readings} are those of another in the same file, and one is kept:"
            " export parts of a second if the signal is that fast"
        )


_LOOKS = {
    "quality": "look like the quality of one tag: they cannot be mapped yet, so values are taken without their "
    "quality, and bad ones are among them",
    "instant": "look like the instant of one tag: they cannot be mapped yet, so values are taken with the instant of "
    "their row",
    "unnamed": "have values and no name in the header: they cannot be mapped yet, and are not imported",
    "second": "have the name of a column before them: they are not imported",
    "spelling": "are nearly a tag or sensor of the site, and not imported (upper and lower case count, and each sign): "
    "correct `tags`",
    "row": "look like the quality of a row: map it as `quality` (path, scheme), or values are taken without it",
}


def _column_notes(report: SourceReport) -> Iterator[str]:
    """Columns that nothing is made of. Those that belong to others are never advised away: they say what is bad."""
    for kind, words in _LOOKS.items():
        if columns := report.companions.get(kind):
            yield f"columns that {words}: {_listed(columns)}"
    if report.unknown_columns:
        yield (
            "columns that are no sensor or tag of the site, not imported: "
            f"{_listed(report.unknown_columns)} (list them under `ignore` to keep this quiet)"
        )


def _listed(columns: Iterable[str]) -> str:
    names = [printable(name, SHOWN_NAME) for name in columns]
    more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
    return ", ".join(names[:SHOWN_COLUMNS]) + more


def quality_rows(found: Sequence[SensorQuality]) -> Iterator[tuple[str, ...]]:
    """Rows: asset, sensor, readings, from, to, median period, bad, out of range, longest gap, flat, conflicts."""
    for sensor in found:
        yield (
            sensor.asset,
            sensor.sensor,
            f"{sensor.readings:,}",
            instant(sensor.start_ms),
            instant(sensor.end_ms),
            duration(sensor.median_period_ms),
            share(sensor.bad),
            share(sensor.out_of_range),
            duration(sensor.longest_gap_ms),
            share(sensor.flat),
            f"{sensor.conflicts:,}",
        )


def instant(milliseconds: int | None) -> str:
    """ISO 8601 to the second, UTC; empty for None."""
    return "" if milliseconds is None else f"{np.datetime64(milliseconds, 'ms').astype('M8[s]')}Z"


def duration(milliseconds: int | None) -> str:
    """A duration in the largest unit that keeps it above one; empty for None."""
    if milliseconds is None:
        return ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if milliseconds >= size:
            return f"{milliseconds / size:.3g} {unit}"
    return f"{milliseconds} ms"


def share(fraction: float) -> str:
    """A share in percent; a little is not shown as nothing."""
    return "0" if fraction == 0 else "<0.1 %" if fraction < 0.001 else f"{fraction:.1%}".replace("%", " %")
