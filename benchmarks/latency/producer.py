"""A gateway: sends a plant's readings in real time, as a separate process. Runs until SIGTERM, then flushes.

    python -m benchmarks.latency.producer --bootstrap HOST:PORT --topic NAME --assets 125 --past 130

It first sends the last `--past` seconds at once, so that the windows are full. From then on, every reading is stamped
with the instant at which it is sent. It exits if the broker accepts nothing for `--patience` seconds.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from datetime import datetime, timezone

import confluent_kafka

from benchmarks.common import sending
from benchmarks.common.plant import STEP_MS, Plant

TICK_S = 0.005
"""Readings due within a tick are sent together."""

LINGER_MS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.latency.producer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--assets", type=int, required=True, help="assets with eight sensors, each read once a second")
    parser.add_argument("--past", type=int, default=130, help="seconds of past readings sent first")
    parser.add_argument(
        "--patience", type=float, default=sending.TAKEN_WITHIN_S, help="seconds to wait with a full queue"
    )
    options = parser.parse_args()
    running = True

    def end(_signal: int, _frame: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, end)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": options.bootstrap, "enable.idempotence": True, "linger.ms": LINGER_MS}
    )
    plant = Plant(options.assets)
    due, live_from = schedule(plant, options.past), now_ms()
    at, message = next(due)
    while running:
        present = now_ms()
        while at <= present:
            key, head, tail = message
            ts = at if at < live_from else present
            try:
                reading = f"{head}{iso(ts)}{tail}".encode()
                sending.send(producer, options.topic, reading, key, within_s=options.patience)
            except TimeoutError as error:
                sys.exit(str(error))
            producer.poll(0)
            at, message = next(due)
        time.sleep(TICK_S)
    left = producer.flush(30)
    sys.exit(1 if left else 0)


def schedule(plant: Plant, past_s: int):
    """(ms since 1970, (key, text before the instant, text after it)) of all readings, endlessly."""
    start = now_ms() // STEP_MS * STEP_MS - past_s * STEP_MS
    addresses, end = plant.formatter()
    offsets, values_at = plant.offsets().tolist(), plant.stepper()
    for step in itertools.count():
        second = start + step * STEP_MS
        for (key, head), offset, value in zip(addresses, offsets, values_at(step), strict=True):
            yield second + offset, (key, head, f'", "value": {value:.3f}{end}')


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


if __name__ == "__main__":
    main()
