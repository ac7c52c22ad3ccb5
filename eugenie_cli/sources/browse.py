"""Table rows that show the tags of a source, for `eugenie import --browse`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eugenie_cli.sources.tables import instant
from eugenie_cli.sources.windows.browsing import Browsed

COLUMNS = ("tag", "sensor of the site", "unit", "readings", "from", "to", "note")


def browse_rows(tags: Sequence[Browsed]) -> Iterator[tuple[str, ...]]:
    """Rows of COLUMNS."""
    for tag in tags:
        count = "" if tag.readings is None else f"{tag.readings:,}"
        between = (instant(tag.start_ms), instant(tag.end_ms))
        yield (tag.tag, tag.sensor or "", tag.unit or "", count, *between, tag.note or "")
