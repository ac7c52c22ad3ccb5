"""Table rows and notes that show imports and the history to users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.history.store import History
from eugenie_cli.printable import printable
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import MORE_GAPS
from eugenie_cli.sources.leftovers import Leftover, counted, leftover_notes, leftovers
from eugenie_cli.sources.report import SourceReport

SHOWN_COLUMNS = 8  # unknown columns listed in a note
SHOWN_NAME = 60  # characters of a column's name
SHOWN_ITEMS = 5  # items listed that gave few or no readings


@dataclass(frozen=True)
class AssetView:
    """An asset and its readings in the history. Instants are inclusive; None without readings."""

    asset: str
    class_name: str | None
    readings: int
    start_ms: int | None
    end_ms: int | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class HistoryView:
    """A whole history. `fingerprint` changes with any reading; `left`: items that the site file no longer leads to."""

    fingerprint: str
    assets: tuple[AssetView, ...]
    left: tuple[Leftover, ...] = ()


def history_view(site: Site, history: History) -> HistoryView:
    """Every asset of the site, with or without readings; then assets that are only in the history."""
    summaries = {summary.asset: summary for summary in history.summary()}
    views = []
    for name in [*site.assets, *(name for name in summaries if name not in site.assets)]:
        class_name = site.assets[name].class_name if name in site.assets else None
        if name in summaries:
            summary = summaries[name]
            views.append(
                AssetView(name, class_name, summary.readings, summary.start_ms, summary.end_ms, summary.sources)
            )
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
    """Problems of an import, as sentences, the most important first: implausible instants, items that failed or gave
    few readings, leftovers in the history, readings that share an instant, unused columns, and rejected records.
    `now_ms`: the current time; default: this machine's clock.
    """
    for report in reports:
        hint = "check `unit`, `format` and `timezone` of `ts`"
        yield from (f"{report.source}: {sentence}: {hint}" for sentence in report.implausible(now_ms)[:SHOWN_ITEMS])
        yield from (f"{report.source}: {doubt.sentence}: {hint}" for doubt in report.doubts if not doubt.is_sure)
        yield from (f"{report.source}: {zones}" for zones in report.zones[:1])
        for error in report.failed:
            yield f"{report.source}: failed: {error}"
        yield from (f"{report.source}: {poor}" for poor in report.poor[:SHOWN_ITEMS])
        if len(report.poor) > SHOWN_ITEMS:
            yield f"{report.source}: and {len(report.poor) - SHOWN_ITEMS:,} more files like these (-o json lists them)"
        if report.unread:
            yield f"{report.source}: {counted(report.unread, 'item')} left for the next import: {report.stopped}"
        yield from (f"{report.source}: {gap}" for gap in report.gaps[:SHOWN_ITEMS])
        if len(report.gaps) > SHOWN_ITEMS:
            others = f"{'at least ' if MORE_GAPS in report.gaps else ''}{len(report.gaps) - SHOWN_ITEMS:,}"
            yield f"{report.source}: and {others} more gaps (-o json lists them)"
    for report in reports:
        yield from leftover_notes(report.left)
        if report.moved:
            items = counted(report.moved, "item")
            yield f"{report.source}: {items} known under another path or name, not imported twice"
        if report.readings == report.bad_quality and report.readings > 1:
            yield (
                f"{report.source}: all {report.readings:,} readings are of bad quality: check `quality` (its path,"
                " scheme and lists) and `value`"
            )
        yield from _overlap_notes(report)
        yield from (f"{report.source}: {note}" for note in _column_notes(report))
        for reason, examples in sorted(report.examples.items()):
            yield f"{report.source}: {report.rejected[reason]:,} {reason}, for example"
            yield from (f"  {example}" for example in examples)


def _overlap_notes(report: SourceReport) -> Iterator[str]:
    if report.conflicts:
        instants = counted(report.conflicts, "instant")
        yield (
            f"{report.source}: readings of one sensor disagree at {instants}: the export written last counts; within"
            " one file, the larger value (`eugenie history quality` shows which sensors)"
        )
    if report.repeated:
        readings = counted(report.repeated, "reading")
        yield (
            f"{report.source}: {readings} had the same sensor and instant as another in the same file; one of each is"
            " kept: export fractions of a second if the signal is that fast"
        )


_COLUMN_KINDS = {
    "quality": "look like the quality of one tag: map them with `columns: {quality: '{tag}_QUALITY'}`, and with"
    " `value: '{tag}_VALUE'` in it if those of values have a suffix, or values are imported"
    " without their quality, bad ones included",
    "instant": "look like the timestamp of one tag: map them with `columns: {ts: '{tag}_TIMESTAMP'}`, and with"
    " `value: '{tag}_VALUE'` in it if those of values have a suffix, or values are imported with the"
    " timestamp of their row",
    "unnamed": "have values but no name in the header: they are not imported. Name them with `table: {names: [...]}`,"
    " or give `columns: {repeat: [...]}`",
    "again": "repeat the name of the timestamp: if each tag has one of its own, map them with `columns: {repeat: [ts,"
    " value]}`, or values are imported with the timestamp of their row",
    "second": "repeat the name of an earlier column: they are not imported",
    "spelling": "almost match a tag or sensor of the site, and are not imported (case and punctuation matter): "
    "correct `tags`, or set `case: ignore` in `readings` if only case differs",
    "value": "have a number where the column of the value is empty: name them with it, `value: {path: [..., ...]}`, or"
    " those readings are imported as bad quality",
    "tags": "contain names of tags: they are not imported. Set `shape: long` with `tag: {path: ...}`, or for pairs of"
    " columns `columns: {repeat: [tag, value]}`",
    "fraction": "look like a part of the instant that is not read: milliseconds are named last, `ts: {path: [...,"
    " Millitm]}`; WinCC's Time_ms is an instant by itself, `ts: {path: Time_ms, unit: wincc}`",
    "exchanged": "have one day of each of several months: if they are days of one month, `format` has %d and %m"
    " exchanged",
    "zone": "have local times and a zone in their name: if it is not the site's, set `timezone` of `ts`, such as UTC or"
    " Etc/GMT-1 (for GMT+01:00)",
    "units": "have several units of one tag: its values are mixed. Divide the source, and give `units` to each",
    "dates": "have dates without a time of day, which is read as midnight: if the time is in a column of its own, name"
    " both, `ts: {path: [Date, Time]}`",
    "inverted": "are true for bad values by their name, and `scheme: boolean` takes true for good: if so, set `good:"
    " [0, false]` and `bad: [1, true]` in `quality`",
    "letters": "look like the quality of a row in FactoryTalk's data logs: map it, `quality: {path: ..., scheme:"
    " factorytalk}`, or values are imported without it",
    "row": "look like the quality of a row: map it as `quality` (path, scheme), or values are imported without it",
}


def _column_notes(report: SourceReport) -> Iterator[str]:
    """Columns that give no readings. No note advises to ignore a companion column: it may mark values as bad."""
    for kind, words in _COLUMN_KINDS.items():
        if columns := report.companions.get(kind):
            yield f"columns that {words}: {_listed(columns)}"
    if report.unknown_columns:
        yield (
            "columns that match no sensor or tag of the site are not imported: "
            f"{_listed(report.unknown_columns)} (list them under `ignore` to silence this note)"
        )


def _listed(columns: Iterable[str]) -> str:
    names = [printable(name, SHOWN_NAME) for name in columns]
    more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
    return ", ".join(names[:SHOWN_COLUMNS]) + more


def instant(milliseconds: int | None) -> str:
    """ISO 8601 to the second, UTC; empty for None."""
    return "" if milliseconds is None else f"{np.datetime64(milliseconds, 'ms').astype('M8[s]')}Z"
