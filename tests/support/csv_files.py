"""Reads a CSV file like an import, in blocks of any size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from eugenie_cli.sources.csv import importer as csv_module
from eugenie_cli.sources.csv.importer import CsvImporter
from eugenie_cli.sources.interface import Tally, importer_for
from support.history_sites import pump_site

Rows = list[tuple[str, str, int, float | None]]


def read_file(
    path: Path, readings: dict[str, Any], block_bytes: int | None = None, **source: Any
) -> tuple[Rows, Tally]:
    """(readings, tally) of a file; `block_bytes`: bytes read at a time, including the header."""
    site = pump_site(path.parent, [{"name": "s", "type": "csv", "path": path.name, "readings": readings, **source}])
    importer = importer_for(site.sources[0], site)
    assert isinstance(importer, CsvImporter)
    tally, rows = Tally(), []
    with pytest.MonkeyPatch.context() as patch:
        if block_bytes is not None:
            patch.setattr(csv_module, "BLOCK_BYTES", block_bytes)
            patch.setattr(csv_module, "HEAD_BYTES", block_bytes)
        for item in importer.items():
            for batch in importer.read(item, tally, lambda _: None):
                for index, ts, value in zip(batch.index, batch.ts, batch.value, strict=True):
                    rows.append((*batch.series[index], int(ts), None if math.isnan(value) else float(value)))
    return rows, tally
