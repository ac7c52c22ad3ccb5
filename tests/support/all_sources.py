"""A plant with a source of every type, one asset each, whose import is disturbed (`import_processes`).

Every source holds the same readings of a day, in four files or windows. Which servers there are is in the file
`servers.json` of the plant's folder: {"postgresql": url, "influxdb": url, "opcua": endpoint, "kafka": address}.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from eugenie_cli.episodes.records import iso
from eugenie_cli.site.schema import Site
from support import ignition_history

START, DAY, PIECES = ignition_history.JANUARY, 86_400_000, 4
STEP = 90_000
NOW = START + DAY + 3 * 3_600_000
FILES = ("csv", "json", "excel", "parquet")
DATABASES = ("sqlite", "ignition")
TOPIC_PIECE = 500
"""Offsets in an item of the topic."""

LONG = {"ts": {"path": "ts"}, "asset": {"path": "asset"}, "sensor": {"path": "sensor"}, "value": {"path": "value"}}
COLUMNS = "ts bigint, asset varchar(20), sensor varchar(20), value double precision"
OF_SENSOR = {"flow": 0.25, "pressure": 7.0}


def rows(asset: str, first: int = 0, last: int = DAY) -> Iterator[tuple[int, str, str, float | None]]:
    """(ms, asset, sensor, value): of every 50th reading the quality is bad."""
    for number in range(first // STEP, last // STEP):
        for sensor, scale in OF_SENSOR.items():
            yield START + number * STEP, asset, sensor, None if number % 50 == 7 else number * scale


def write_files(folder: Path) -> None:
    """The sources that are files, and the databases that are."""
    for name in FILES:
        (folder / name).mkdir(parents=True)
        for piece in range(PIECES):
            path = folder / name / f"{piece}.{name}"
            _WRITE[name](path, list(rows(name, piece * DAY // PIECES, (piece + 1) * DAY // PIECES)))
            os.utime(path, (1_000 + piece, 1_000 + piece))
    with closing(sqlite3.connect(folder / "sqlite.db")) as database:
        database.execute(f"CREATE TABLE log ({COLUMNS})")
        database.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows("sqlite"))
        database.commit()
    with closing(sqlite3.connect(folder / "ignition.db")) as database:
        numbers = dict(zip(OF_SENSOR, (3, 2), strict=True))
        readings = [
            ignition_history.reading("sqlt_data_1_2026_01", numbers[sensor], ts, value, 192 if value is not None else 0)
            for ts, _, sensor, value in rows("ignition")
        ]
        for statement, values in [*ignition_history.statements(), *readings]:
            database.execute(statement, values)
        database.commit()


def _csv(path: Path, of: list[tuple[Any, ...]]) -> None:
    lines = [f"{iso(ts)},{asset},{sensor},{'' if value is None else value}" for ts, asset, sensor, value in of]
    path.write_text("\n".join(["ts,asset,sensor,value", *lines]) + "\n")


def _json(path: Path, of: list[tuple[Any, ...]]) -> None:
    path.write_text("".join(json.dumps(dict(zip(LONG, row, strict=True))) + "\n" for row in of))


def _excel(path: Path, of: list[tuple[Any, ...]]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(list(LONG))
    for ts, *others in of:
        book.active.append([iso(ts), *("" if other is None else other for other in others)])
    book.save(f"{path}.xlsx")
    Path(f"{path}.xlsx").rename(path)


def _parquet(path: Path, of: list[tuple[Any, ...]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = dict(zip(LONG, zip(*of, strict=True), strict=True))
    pq.write_table(pa.table({**columns, "value": pa.array(columns["value"], pa.float64())}), path)


_WRITE = {"csv": _csv, "json": _json, "excel": _excel, "parquet": _parquet}


def points(asset: str) -> list[str]:
    """The rows in InfluxDB's line protocol, bad ones as texts."""
    return [
        f"log,asset={asset},sensor={sensor} {f'value={value}' if value is not None else 'status=' + BAD} {ts}000000"
        for ts, _, sensor, value in rows(asset)
    ]


BAD = '"bad"'


def nodes(asset: str) -> dict[str, Any]:
    """The rows as `opcua_server` takes them."""
    values: dict[str, list[list[Any]]] = {sensor: [] for sensor in OF_SENSOR}
    for ts, _, sensor, value in rows(asset):
        values[sensor].append([ts, value or 0.0, 0x8000_0000 if value is None else 0])
    return {sensor: {"values": of} for sensor, of in values.items()}


def messages(asset: str) -> list[bytes]:
    """The rows as canonical readings."""
    return [
        json.dumps({"asset": asset, "sensor": sensor, "ts": iso(ts), "value": value, "quality": quality}).encode()
        for ts, _, sensor, value in rows(asset)
        for quality in ["bad" if value is None else "good"]
    ]


def site_of(folder: Path, workspace: Path) -> Site:
    """The plant, at a fixed time. It changes constants of the product: call it in a process of its own."""
    from eugenie_cli.sources.kafka import offsets
    from eugenie_cli.sources.windows import importer

    importer.time = SimpleNamespace(time_ns=lambda: NOW * 1_000_000)  # type: ignore[assignment]
    offsets.MOST = TOPIC_PIECE
    servers = json.loads((folder / "servers.json").read_text())
    windows = {"start": "2026-01-01T00:00:00Z", "window": "6h", "pace": {"retries": 0, "timeout": "30s"}}
    numbers = {**LONG, "ts": {"path": "ts", "unit": "ms"}}
    sources: list[dict[str, Any]] = [
        {"name": name, "type": name, "path": f"{folder}/{name}/*", "readings": LONG if name != "json" else numbers}
        for name in FILES
    ]
    sources[FILES.index("parquet")]["readings"] = numbers
    sources.append(
        {"name": "sqlite", "type": "sql", "url": f"sqlite:///{folder}/sqlite.db", "table": "log", "readings": numbers}
    )
    sources.append(
        {"name": "ignition", "type": "ignition", "url": f"sqlite:///{folder}/ignition.db", "driver": "gateway-1"}
    )
    if "postgresql" in servers:
        login = {"url": servers["postgresql"], "username": "reader", "password": "secret-1"}
        sources.append({"name": "postgresql", "type": "sql", **login, "table": "log", "readings": numbers})
    if "influxdb" in servers:
        login = {"url": servers["influxdb"], "database": "plant", "username": "reader", "password": "word"}
        mapping = {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}, "value": {"status": ["bad"]}}
        sources.append({"name": "influxdb", "type": "influxdb", **login, "measurements": ["log"], "readings": mapping})
    if "opcua" in servers:
        node = {"assets": ["opcua"], "node": "ns=2;s={sensor}"}
        sources.append({"name": "opcua", "type": "opcua", "endpoint": servers["opcua"], **node})
    if "kafka" in servers:
        sources.append({"name": "kafka", "type": "kafka", "topic": "plant.all"})
    for source in sources:
        if source["type"] not in (*FILES, "kafka"):
            source |= windows
    tags = {"flow": "line 1/pump 2/ft-2", "pressure": "line 1/pump 2/pt-2"}
    site = Site.model_validate(
        {
            "site": "plant",
            "sources": sources,
            "kafka": {"bootstrap": servers.get("kafka", "127.0.0.1:1")},
            "classes": {"pump": {"sensors": [{"name": name} for name in OF_SENSOR], "step": "1m", "max_gap": "5m"}},
            "assets": {
                source["name"]: {"class": "pump", **({"tags": tags} if source["name"] == "ignition" else {})}
                for source in sources
            },
        }
    )
    return site.model_copy(update={"base": folder, "workspace": str(workspace)})
