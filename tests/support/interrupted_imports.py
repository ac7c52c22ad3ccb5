"""A child process that imports exports and compacts the history, to be disturbed; and what the history then holds."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta, timezone
from pathlib import Path

from eugenie_cli.history.store import History
from eugenie_cli.site.schema import Site
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

CHILD = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from support.interrupted_imports import history_of, site_of
    from eugenie_cli.errors import EugenieError
    from eugenie_cli.history import store
    from eugenie_cli.history.compaction import compact
    from eugenie_cli.sources.importing import import_sources

    folder, workspace, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    store.COMMIT_INTERVAL_S = 0.0
    site = site_of(folder, workspace)
    print("ready", flush=True)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        reports = import_sources(site)
        history = history_of(workspace)
        for source in history.sources():
            compact(history, source, run_rows=8_000)
        history.vacuum(everything=True)
    except EugenieError as error:
        print(error.reason, error.hint, flush=True)
        sys.exit(int(error.exit_code))
    for report in reports:
        for failed in report.failed:
            print(failed, flush=True)
    sys.exit(6 if any(report.failed for report in reports) else 0)
    """
)


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


def start(folder: Path, workspace: Path, *, file_limit: int = 0) -> subprocess.Popen[str]:
    """The child, when it is about to begin."""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(workspace), str(file_limit)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit code, output) of a child that ends by itself."""
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


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
        held[source] = {key: (item.state, [part.sha256 for part in item.parts]) for key, item in items.items()}
    return held
