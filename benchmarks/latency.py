"""How long after a row is complete its score is on Kafka, while a plant runs: 125 assets, 1,000 readings a second.

A row is the readings of an asset up to an edge of the grid. It is complete when the job may take it that no more
readings of it come: when a reading of `edge + out_of_orderness` or later is on Kafka, whichever asset's it is. So of
the time from the last reading of the row to its score, the grid's step and the waiting for late readings are taken off,
and nothing else:

    latency = Kafka's time of the score - Kafka's time of the first reading with ts >= edge + out_of_orderness

Both times are the broker's, which stamps what it takes (LogAppendTime); both engines and clocks are of one machine.
The gateway is a process of its own, and keeps pace with the clock whatever the job does. With exactly-once a score
counts when a consumer of committed records has it: what the broker took is not yet anybody's to read.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import report
from live_watch import Score, Watch
from stream import start_engines
from stream_plant import SENSORS, STEP_MS, WINDOW, Plant

from eugenie_cli.broker import consume, topics
from eugenie_cli.console import Console
from eugenie_cli.engines import endpoints
from eugenie_cli.errors import EugenieError
from eugenie_cli.operations import lifecycle
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE = Path(__file__).parent
PAST_S = WINDOW + 10
"""Seconds of readings before now with which the gateway begins, so that rows are scored from the beginning."""

BEFORE_MS = 10_000
"""Readings of this long before the time that is measured may belong to its first rows."""

TAIL_S = 10.0
"""After the time that is measured: its last rows wait for the watermark, and with exactly-once for a commit."""


@dataclass(frozen=True)
class Sent:
    """What the gateway sent: ms since 1970 of the readings themselves, and when the broker took them."""

    asset: np.ndarray
    ts: np.ndarray
    taken: np.ndarray


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=int, default=125, help=f"of {len(SENSORS)} sensors, read once a second")
    parser.add_argument("--warm-up", type=float, default=60.0, metavar="S", help="before anything is measured")
    parser.add_argument("--seconds", type=float, default=60.0, help="that are measured")
    parser.add_argument(
        "--exactly-once", metavar="INTERVAL", help="then measure exactly-once, too, with this checkpoint interval"
    )
    return parser.parse_args()


def main() -> None:
    options, progress = arguments(), Console()
    report.end_on_term()
    folder = Path(tempfile.mkdtemp(prefix="eugenie-bench-"))
    plant = Plant(options.assets)
    site = plant.site(folder, stream={"delivery": "at-least-once"})
    try:
        figures = measure(site, plant, options, progress)
    except EugenieError as error:
        progress.error(error.reason, error.hint)
        raise SystemExit(int(error.exit_code)) from None
    finally:
        lifecycle.down(site, progress)
        shutil.rmtree(folder, ignore_errors=True)
    report.finish("latency", figures)


def measure(site: Site, plant: Plant, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    start_engines(site, plant, progress)
    topics.ensure(site, progress)
    with gateway(site, plant):
        figures = one_delivery(site, plant, options, progress)
        if options.exactly_once:
            again = plant.site(site.base, stream={"delivery": "exactly-once", "checkpoint": options.exactly_once})
            found = one_delivery(again, plant, options, progress)
            figures |= {f"exactly_once_{name}": value for name, value in found.items()}
    return {**figures, "cores": len(os.sched_getaffinity(0))}


@contextmanager
def gateway(site: Site, plant: Plant) -> Iterator[None]:
    """The plant's readings arrive while the block runs."""
    argv = [sys.executable, str(HERE / "live_producer.py"), "--bootstrap", endpoints.kafka(site)]
    argv += ["--topic", str(site.topics.readings), "--assets", str(plant.assets), "--past", str(PAST_S)]
    with subprocess.Popen(argv) as process:
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError("the gateway ended early")
        finally:
            process.terminate()


def one_delivery(site: Site, plant: Plant, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Run the job as the site says, and measure the rows whose edges lie in the time after the warm-up."""
    with Watch(site) as watch:
        submit(site, progress, start="earliest")
        watch.wait_until_live()
        progress.say(f"{site.stream.delivery}: warming up for {options.warm_up:.0f} s")
        time.sleep(options.warm_up)
        begin_ms = time.time_ns() // 1_000_000
        progress.say(f"measuring for {options.seconds:.0f} s")
        time.sleep(options.seconds)
        end_ms = time.time_ns() // 1_000_000
        committed = site.stream.delivery == "exactly-once"
        time.sleep(TAIL_S + committed * 2 * site.stream.checkpoint / 1_000)
        sent = readings(site, begin_ms - BEFORE_MS, time.time_ns() // 1_000_000)
    stop(site, progress, savepoint=False)
    scores = [one for one in watch.scores if begin_ms < one.edge <= end_ms]
    return figures_of(site, plant, scores, sent, (begin_ms, end_ms))


def readings(site: Site, since_ms: int, until_ms: int) -> Sent:
    """All readings that the broker took between two times. The topic has one partition, and no end."""
    found = []
    for one in consume.read(site, str(site.topics.readings), since_ms=since_ms, follow=True):
        if one.timestamp_ms > until_ms:
            break
        message = orjson.loads(one.value or b"")
        found.append((message["asset"], message["ts"].rstrip("Z"), one.timestamp_ms))
    assets, texts, taken = zip(*found, strict=True)
    return Sent(np.array(assets), np.array(texts, "datetime64[ms]").astype(np.int64), np.array(taken))


def figures_of(site: Site, plant: Plant, scores: list[Score], sent: Sent, between: tuple[int, int]) -> dict[str, Any]:
    """Latencies in milliseconds. Raises RuntimeError when rows are missing or have no score."""
    begin, end = between
    expected = (end // STEP_MS - begin // STEP_MS) * plant.assets
    scored = {(one.asset, one.edge): one for one in scores if one.scored}
    if len(scored) != expected:
        raise RuntimeError(f"{len(scored):,} of {expected:,} rows have a score")
    completed = completion(sent, sorted({one.edge for one in scores}), site.stream.out_of_orderness)
    committed = site.stream.delivery == "exactly-once"
    done = {row: one.read_ms if committed else one.taken_ms for row, one in scored.items()}
    latency = np.array([at - completed[edge] for (_, edge), at in done.items()])
    whole = np.array(list(done.values())) - np.array(last_readings(sent, done))
    read = np.array([one.read_ms - completed[one.edge] for one in scored.values()])
    count = int(((sent.taken >= begin) & (sent.taken < end)).sum())
    return {
        "p50_ms": percentile(latency, 50),
        "p99_ms": percentile(latency, 99),
        "max_ms": float(latency.max()),
        "readings_per_s": count / (end - begin) * 1_000,
        "rows": len(scored),
        "read_p50_ms": percentile(read, 50),
        "read_p99_ms": percentile(read, 99),
        "from_last_reading_p50_ms": percentile(whole, 50),
        "from_last_reading_p99_ms": percentile(whole, 99),
        "step_ms": STEP_MS,
        "out_of_orderness_ms": site.stream.out_of_orderness,
        "checkpoint_ms": site.stream.checkpoint,
    }


def completion(sent: Sent, edges: list[int], out_of_orderness: int) -> dict[int, int]:
    """Edge -> when the broker took the first reading that completes the rows of that edge."""
    order = np.argsort(sent.taken, kind="stable")
    furthest = np.maximum.accumulate(sent.ts[order])
    places = np.searchsorted(furthest, np.array(edges) + out_of_orderness)
    return dict(zip(edges, sent.taken[order][places].tolist(), strict=True))


def last_readings(sent: Sent, rows: Iterable[tuple[str, int]]) -> list[int]:
    """When the broker took the last reading of each row (asset, edge): the last of the asset with ts <= edge."""
    by_asset = {}
    for asset in np.unique(sent.asset):
        own = sent.asset == asset
        order = np.argsort(sent.ts[own], kind="stable")
        by_asset[str(asset)] = sent.ts[own][order], np.maximum.accumulate(sent.taken[own][order])
    return [int(by_asset[asset][1][np.searchsorted(by_asset[asset][0], edge, "right") - 1]) for asset, edge in rows]


def percentile(values: np.ndarray, share: float) -> float:
    return float(np.percentile(values, share))


if __name__ == "__main__":
    main()
