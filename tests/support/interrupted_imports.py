"""An import and a compaction to be disturbed (`import_processes`), and what the history then holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.compaction import compact
from eugenie_cli.history.store import History
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.workspace import Workspace
from support.history_sites import pump_site

FILES, MINUTES = 24, 60
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
READINGS = {
    "shape": "long",
    "asset": {"path": "a"},
    "sensor": {"path": "s"},
    "ts": {"path": "t"},
    "value": {"path": "v"},
}


def write_exports(folder: Path) -> None:
    """Hourly exports of two sources; each repeats the last minute of the one before, with other values."""
    for source in ("east", "west"):
        (folder / source).mkdir(parents=True)
        for hour in range(FILES):
            minutes = range(hour * MINUTES, (hour + 1) * MINUTES + 1)
            sensors = ("flow",) if source == "east" else ("pressure", "motor current")
            rows = [
                f"p{asset},{sensor},{(BEGIN + timedelta(minutes=minute)).isoformat()},{hour}.{minute % 97}"
                for minute in minutes
                for asset in (1, 2)
                for sensor in sensors
            ]
            path = folder / source / f"{hour:03d}.csv"
            path.write_text("\n".join(["a,s,t,v", *rows]) + "\n")
            os.utime(path, (1_000 + hour, 1_000 + hour))


def site_of(folder: Path, workspace: Path) -> Site:
    sources = [
        {"name": name, "type": "csv", "path": f"{folder}/{name}/*.csv", "readings": READINGS}
        for name in ("east", "west")
    ]
    return pump_site(folder, sources).model_copy(update={"workspace": str(workspace)})


def history_of(workspace: Path) -> History:
    return History(Workspace(workspace).history)


def run(site: Site, workspace: Path) -> int:
    """Import everything, compact, vacuum, and print what went wrong. Returns the exit code of the command."""
    from eugenie_cli.history import store

    store.COMMIT_INTERVAL_S = store.COMMITS_APART = 0
    try:
        reports = import_sources(site)
        history = history_of(workspace)
        for source in history.sources():
            compact(history, source, run_rows=8_000)
        history.vacuum(everything=True)
    except EugenieError as error:
        print(error.reason, error.hint, flush=True)
        return int(error.exit_code)
    for report in reports:
        for failed in report.failed:
            print(failed, flush=True)
    return 6 if any(report.failed for report in reports) else 0


def contents(workspace: Path) -> dict[str, object]:
    """All that the history holds, bit for bit: readings in order, and the items with the SHA-256 of their parts."""
    history = history_of(workspace)
    held: dict[str, object] = {"fingerprint": history.fingerprint()}
    for asset in history.assets():
        readings = history.read(asset)
        names = [readings.names[index].encode() for index in range(len(readings.names))]
        for index, name in sorted(enumerate(names), key=lambda pair: pair[1]):
            own = readings.sensor == index
            held[f"{asset} {name.decode()}"] = readings.ts[own].tobytes() + readings.value[own].tobytes()
    for source, items in history.sources().items():
        held[source] = {key: (_kept(item.state), [part.sha256 for part in item.parts]) for key, item in items.items()}
    return held


def _kept(state: Mapping[str, Any]) -> dict[str, Any]:
    """An item's state without what differs at each import: the digest of a window of time is random."""
    return {name: value for name, value in state.items() if name != "digest" or "read_ms" not in state["item"]}
