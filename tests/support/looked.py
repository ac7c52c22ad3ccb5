"""Looks at files in a folder, and imports them by the site file that is proposed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.site.load import load_site
from eugenie_cli.sources.interface import Tally, importer_for
from eugenie_cli.sources.look.looking import Look, look

Readings = dict[tuple[str, int], float | None]
"""(tag, ms since 1970 UTC) -> value, None for bad quality."""


def looked(folder: Path, files: Mapping[str, bytes | str], timezone: str = "UTC") -> Look:
    """What is proposed for files, which are written into `folder`."""
    (folder / "exports").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "exports" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return look([str(folder / "exports" / name) for name in files], folder, timezone)


def imported(folder: Path, found: Look) -> tuple[Readings, Tally]:
    """The readings that the proposal imports from the files in `folder`."""
    file = folder / "site-configs" / "proposed.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(found.text.whole("proposed"), encoding="utf-8")
    site, tally, readings = load_site(file), Tally(), Readings()
    for source in site.sources:
        importer = importer_for(source, site)
        for item in importer.items():
            for batch in importer.read(item, tally, lambda _: None):
                for index, ts, value in zip(batch.index, batch.ts, batch.value, strict=True):
                    asset, sensor = batch.series[index]
                    tag = site.assets[asset].tags.get(sensor, sensor)
                    readings[tag, int(ts)] = None if math.isnan(value) else float(value)
    return readings, tally


def checks(found: Look) -> list[str]:
    """The keys that are to be checked."""
    return sorted({check.key for proposal in found.proposals for check in proposal.notes.checks})


def questions(found: Look) -> str:
    """What is to be checked, as one text."""
    return "\n".join(check.words for proposal in found.proposals for check in proposal.notes.checks)
