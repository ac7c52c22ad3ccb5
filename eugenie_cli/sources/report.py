"""What an import of one source did."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.assessment.findings import instant
from eugenie_cli.history.manifest import Item
from eugenie_cli.printable import printable
from eugenie_cli.readings.number_units import DAY_MS, EXCEL_1970, FIRST_PLAUSIBLE, LAST_PLAUSIBLE
from eugenie_cli.sources.confused_units import Doubt
from eugenie_cli.sources.interface import EXAMPLES
from eugenie_cli.sources.leftovers import Leftover, counted
from eugenie_cli.sources.two_zones import zones_of_item

CLOCK_MS = 60_000
"""How far the clock that wrote a file may be ahead of this machine's."""


REPEATED = 2
"""Readings of an item that share the instant of another one, at least, if all of them have one instant: two rows alone
may be one that was written twice."""


@dataclass
class SourceReport:
    """The result of importing one source.

    Items are files, for example. `new`, `changed` and `unchanged` count them. `readings`, `bad_quality`, `rejected`
    (by reason), `start_ms` and `end_ms` (inclusive) cover all items, imported now or earlier. `failed`: errors of items
    that could not be read, each with the next step. `poor`: items that gave no readings, or lost more than they gave.
    `moved`: unchanged or changed items that were known under another name. `unknown_columns` and `companions` (columns
    that look like part of another, see `Tally`): with the number of items that have them. `left`: items of the source
    in the history that the site file no longer leads to; a source that is no longer in the site file has its own report
    if any are left. `pruned`: those of them that `--prune` dropped. `repeated`: readings that share asset, sensor and
    instant with another of their item. `conflicts`: instants of a sensor at which readings disagree, within an item or
    between items (of any source). `gaps`: what the source itself says it lacks. `unread`: number of items that were
    left for the next import; `stopped`: why. `one_instant`: items whose readings of a sensor all have the same instant.
    `doubts`: about the unit of the instants, at most one. `zones`: items whose assets may be in two time zones.
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
    pruned: list[str] = field(default_factory=list)
    start_ms: int | None = None
    end_ms: int | None = None
    seconds: float = 0.0
    repeated: int = 0
    conflicts: int = 0
    gaps: list[str] = field(default_factory=list)
    unread: int = 0
    stopped: str | None = None
    one_instant: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every item was imported, and most of each, with plausible instants."""
        return not self.failed and not self.poor and not self.implausible()

    def implausible(self, now_ms: int | None = None) -> list[str]:
        """Sentences about instants that were probably read wrongly. `now_ms`: default: this machine's clock."""
        now_ms = int(time.time() * 1_000) if now_ms is None else now_ms
        found = []
        if self.start_ms is not None and self.start_ms < FIRST_PLAUSIBLE:
            found.append(f"some readings are dated {instant(self.start_ms)}, before 1990{_other_unit(self.start_ms)}")
        if self.end_ms is not None and self.end_ms > now_ms + CLOCK_MS:
            found.append(f"some readings are dated {instant(self.end_ms)}, ahead of this machine's clock")
        found += [doubt.sentence for doubt in self.doubts if doubt.is_sure]
        return found + self.one_instant

    def fail(self, error: EugenieError, kept: int = 0) -> None:
        """Record that an item, or the whole source, could not be read. `kept`: its readings that the history keeps."""
        reason = error.reason + (f"; history keeps the {counted(kept, 'reading')} of its last import" if kept else "")
        self.failed.append(f"{reason} (next: {error.hint})" if error.hint else reason)

    def leave(self, why: str) -> None:
        """Count an item that is left for the next import."""
        self.unread += 1
        self.stopped = why

    def take(self, key: str, item: Item, *, may_be_empty: bool = False) -> None:
        """Add an item that is now in the history."""
        for part in item.parts:
            self.readings += part.rows
            self.bad_quality += part.bad
            self.repeated += part.repeated
            self.conflicts += part.conflicts
            for _, start, end in part.assets.values():
                if self.start_ms is None or start < self.start_ms:
                    self.start_ms = start
                if self.end_ms is None or end > self.end_ms:
                    self.end_ms = end
        for reason, count in item.state["rejected"].items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for column in item.state["unknown_columns"]:
            self.unknown_columns[column] = self.unknown_columns.get(column, 0) + 1
        for column, kind in item.state.get("companions", {}).items():
            counts = self.companions.setdefault(kind, {})
            counts[column] = counts.get(column, 0) + 1
        self.gaps.extend(gap for gap in item.state.get("gaps", ()) if gap not in self.gaps)
        if not (may_be_empty and not item.rows and not item.state.get("records")):
            self.poor.extend(filter(None, [_poor(key, item)]))
        for reason, examples in item.state["examples"].items():
            shown = self.examples.setdefault(reason, [])
            shown.extend(examples[: max(0, EXAMPLES - len(shown))])
        if (zones := zones_of_item(item)) is not None:
            self.zones.append(f"{printable(key)}: {zones}")
        self.one_instant.extend(filter(None, [_at_one_instant(key, item) or _at_midnight(key, item)]))


def _other_unit(early_ms: int) -> str:
    """What an instant before 1990 would be in other units than that in which it was read; empty if in none."""
    if FIRST_PLAUSIBLE <= early_ms * 1_000 < LAST_PLAUSIBLE:
        return f" (in a unit a thousand times as long, such as s for ms, it would be {instant(early_ms * 1_000)})"
    for number in (early_ms, early_ms // 1_000):  # read in ms, in s
        if FIRST_PLAUSIBLE <= (number - EXCEL_1970) * DAY_MS < LAST_PLAUSIBLE:
            return f" (with `unit: excel` it would be {instant((number - EXCEL_1970) * DAY_MS)[:10]})"
    return ""


def _at_one_instant(key: str, item: Item) -> str | None:
    """A sentence about an item whose readings all have one instant, and several of a sensor; None for others."""
    if sum(part.repeated for part in item.parts) < REPEATED:
        return None
    instants = {at for part in item.parts for span in part.assets.values() for at in (span.start, span.end)}
    return (
        f"{printable(key)}: all {item.rows:,} readings are dated {instant(instants.pop())}"
        if len(instants) == 1
        else None
    )


def _at_midnight(key: str, item: Item) -> str | None:
    """A sentence about an item whose instants are dates, several of them the same for one sensor; None for others."""
    repeated = sum(part.repeated for part in item.parts)
    if repeated < REPEATED or "dates" not in item.state.get("companions", {}).values():
        return None
    return f"{printable(key)}: its instants are dates without a time of day, and {repeated:,} readings repeat one"


def _poor(key: str, item: Item) -> str | None:
    """A sentence about an item that gave no readings, or lost more than it gave; None for others."""
    state = item.state
    if "records" not in state:  # imported by a version that did not count records
        return None
    records, lost, rejected = state["records"], state["lost"], sum(state["rejected"].values())
    if item.rows and not lost and not rejected:
        return None
    name = printable(key)
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
