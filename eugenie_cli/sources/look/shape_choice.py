"""The shape of a table: long, wide, in groups of columns, or as InfluxDB writes it."""

from __future__ import annotations

from eugenie_cli.printable import printable
from eugenie_cli.sources.look import names
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.groups import grouped
from eugenie_cli.sources.look.long_shape import long_shape
from eugenie_cli.sources.look.qualities import is_quality
from eugenie_cli.sources.look.shape import Shape
from eugenie_cli.sources.look.table import SampleTable
from eugenie_cli.sources.look.times import time_columns
from eugenie_cli.sources.look.values import is_number
from eugenie_cli.sources.look.wide_shape import wide_shape


def shape_of(table: SampleTable, where: str, notes: Notes, *, annotated: bool = False) -> Shape:
    """The parts of a table's columns. Raises EugenieError if it has no instants or no values."""
    if annotated:
        return _annotated(table, notes)
    times = time_columns(table, where)
    by_groups = grouped(table, times)
    if by_groups is not None:
        patterns = ", ".join(f"{key}: {value}" for key, value in by_groups.own.items() if key != "optional")
        notes.find("shape", "wide, columns for each tag", patterns)
        if "optional" in by_groups.own:
            quality = by_groups.own["quality"]
            alone = [tag for tag in by_groups.tags.values() if quality.replace("{tag}", tag) not in table.names]
            shown = ", ".join(printable(name, 40) for name in alone[:6]) + (" and others" if len(alone) > 6 else "")
            notes.check("columns", f"{shown} have no column of quality: what they send is taken for good")
        for column in (table[name] for name in by_groups.ignored):
            numbers_rows = names.NUMBER_OF_ROW.search(column.name)
            if len(column.counts) > 1 and not numbers_rows and (is_number(column) or is_quality(column)):
                notes.check("ignore", f"the column {printable(column.name, 60)!r} is of no tag, and is not read")
        return Shape(
            "wide",
            by_groups.times,
            values=by_groups.values,
            ignored=by_groups.ignored,
            own=by_groups.own,
            instants=by_groups.instants,
            qualities=by_groups.qualities,
            tags=by_groups.tags,
            renamed=by_groups.renamed,
        )
    if times.rival is not None:
        notes.check("ts", f"the column {times.shared[0]!r} was taken for the instant, {times.rival!r} may be meant")
    return long_shape(table, times, notes) or wide_shape(table, times, where, notes)


def _annotated(table: SampleTable, notes: Notes) -> Shape:
    """One reading in each row; tags of the series are columns."""
    own = {"", "result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement", "column 1"}
    labels = [c for c in table.columns if c.name not in own and c.counts]
    asset = next((c.name for c in labels if names.ASSET.search(c.name)), labels[0].name if labels else "_measurement")
    notes.find("shape", "long: one reading in each row", f"asset {asset}, sensor _field")
    if len(labels) > 1:
        notes.check("asset", f"{asset} was taken for the asset", f"others: {', '.join(c.name for c in labels[:5])}")
    return Shape("long", ("_time",), asset, "_field", values=("_value",))
