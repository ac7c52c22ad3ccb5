"""Drops, after an import, what the site file no longer leads to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from eugenie_cli.history.store import History
from eugenie_cli.progress import Progress
from eugenie_cli.sources.leftovers import Leftover, counted, leftover_notes
from eugenie_cli.sources.report import SourceReport


def prune(history: History, reports: Sequence[SourceReport], names: Collection[str], progress: Progress) -> None:
    """Say what the site file no longer leads to, then drop it, and move it from `left` to `pruned` of its report.

    `names`: the sources that were chosen; with none, sources that are no longer in the site file are dropped, too.
    Nothing is dropped of a source that failed, because a share that is not mounted looks like a folder without files,
    or that has items left to read, because these may replace what would be dropped.
    Raises EugenieError when the source is being imported.
    """
    for report in reports:
        gone = [leftover for leftover in report.left if leftover.gone]
        if not gone or (names and report.source not in names):
            continue
        if report.failed or report.unread:
            progress.say(f"{report.source}: nothing is dropped, because it could not be read completely")
            continue
        for note in _announced(gone):
            progress.say(note)
        history.drop(report.source, [leftover.item for leftover in gone])
        report.pruned = [leftover.item for leftover in gone]
        report.left = [leftover for leftover in report.left if not leftover.gone]


def _announced(gone: Sequence[Leftover]) -> Iterator[str]:
    for why, group in groupby(gone, key=lambda leftover: leftover.why):
        items = list(group)
        readings = counted(sum(leftover.readings for leftover in items), "reading")
        yield f"{items[0].source}: dropping {readings} of {counted(len(items), 'item')}: {why}"
        yield from (line for line in leftover_notes(items) if line.startswith("  ") and "next:" not in line)
