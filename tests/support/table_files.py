"""Reads a file of any type of source like an import."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from eugenie_cli.sources.interface import Tally, importer_for
from support.history_sites import pump_site

Rows = list[tuple[str, str, int, float | None]]


def read(type: str, path: Path, readings: dict[str, Any], **source: Any) -> tuple[Rows, Tally]:
    """(readings, sorted; tally) of the files that the last part of `path` matches in its folder."""
    site = pump_site(path.parent, [{"name": "s", "type": type, "path": path.name, "readings": readings, **source}])
    importer = importer_for(site.sources[0], site)
    tally, rows = Tally(), []
    for item in importer.items():
        for batch in importer.read(item, tally, lambda _: None):
            for index, ts, value in zip(batch.index, batch.ts, batch.value, strict=True):
                rows.append((*batch.series[index], int(ts), None if math.isnan(value) else float(value)))
    return sorted(rows, key=str), tally
