"""The cost of decoding payloads to columns of readings, by the gateway's kind of timestamp.

CPU time of one process, without Kafka and Flink, of the stream job's column reader and of the scalar rule. Turns
alternate, and the best turn of each counts: disturbances make a turn longer, never shorter.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from benchmarks.common import report
from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.payload import compile_payload

ZONE = "Europe/Berlin"
START = datetime(2026, 7, 3, 6)
MAPPING: dict[str, Any] = {
    "asset": {"path": "asset"},
    "sensor": {"path": "sensor"},
    "value": {"path": "value"},
    "quality": {"path": "quality"},
}
FORMAT, TWELVE_HOURS = "%d.%m.%Y %H:%M:%S.%f", "%m/%d/%Y %I:%M:%S %p"
KINDS: dict[str, tuple[dict[str, str], Callable[[datetime], Any]]] = {
    "utc": ({}, lambda wall: wall.isoformat(timespec="milliseconds") + "Z"),
    "offset": ({}, lambda wall: wall.isoformat(timespec="milliseconds") + "+02:00"),
    "local": ({}, lambda wall: wall.isoformat(timespec="milliseconds")),
    "format": ({"format": FORMAT}, lambda wall: wall.strftime(FORMAT)),
    "twelve_hours": ({"format": TWELVE_HOURS}, lambda wall: wall.strftime(TWELVE_HOURS)),
    "epoch_ms": ({"unit": "ms"}, lambda wall: int(wall.replace(tzinfo=timezone.utc).timestamp() * 1_000)),
}
"""Kind of timestamp -> its mapping, and a function that writes an instant."""
ASSETS, SENSORS = 20, 8
SMALL = 100
"""Readings of a small batch: those of 200 ms at 500 a second."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.decoding", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=30_000, help="readings per batch; Flink passes at most 30,000")
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for name, (ts, write) in KINDS.items():
        mapping = {**MAPPING, "ts": {"path": "ts", **ts}}
        batch = payloads(options.readings, write)
        columns, rule = compile_columns(mapping, ZONE, place_of), compile_payload(mapping, ZONE)
        assert len(columns(batch).ts) == len(batch), "every message is a reading"
        works = {
            "": (len(batch), lambda columns=columns, batch=batch: columns(batch)),
            "small_batches_": (SMALL, lambda columns=columns, batch=batch[:SMALL]: columns(batch)),
            "scalar_": (SMALL, lambda rule=rule, batch=batch[:SMALL]: [rule(payload) for payload in batch]),
        }
        taken = best(works, options.turns)
        figures |= {f"{name}_{work}cpu_s_per_million": seconds for work, seconds in taken.items()}
    report.finish("decoding", figures)


def payloads(count: int, write: Callable[[datetime], Any]) -> list[bytes]:
    """Flat messages of one reading each, a millisecond apart."""
    return [
        json.dumps(
            {
                "asset": f"pump-{number % ASSETS}",
                "sensor": f"sensor_{number % SENSORS}",
                "ts": write(START + timedelta(milliseconds=number)),
                "value": round(20 + number % 700 / 700, 4),
                "quality": "good",
            }
        ).encode()
        for number in range(count)
    ]


def place_of(asset: str | None, sensor: str | None, tag: str | None) -> int | None:  # noqa: ARG001 - has no tags
    """The place of a sensor among all of the plant."""
    return int(str(asset).removeprefix("pump-")) * SENSORS + int(str(sensor).removeprefix("sensor_"))


def best(works: dict[str, tuple[int, Callable[[], Any]]], turns: int) -> dict[str, float]:
    """CPU seconds per million readings of each work; a call of it processes the given number of readings."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(turns):
        for name, (count, work) in works.items():
            calls = max(1, 10 * SMALL // count)
            began = time.process_time()
            for _call in range(calls):
                work()
            least[name] = min(least[name], (time.process_time() - began) / (calls * count) * 1e6)
    return least


if __name__ == "__main__":
    main()
