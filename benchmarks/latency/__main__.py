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
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.common import child_process, engines, report
from benchmarks.common.child_process import Child
from benchmarks.common.plant import SENSORS, WINDOW, Plant
from benchmarks.common.waiting import Check, sleep
from benchmarks.latency.figures import figures_of, readings
from benchmarks.latency.watch import Watch
from eugenie_cli.broker import topics
from eugenie_cli.console import Console
from eugenie_cli.engines import endpoints
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.operations import lifecycle
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

ROOT = Path(__file__).parents[2]
PAST_S = WINDOW + 10
"""Seconds of readings before now with which the gateway begins, so that rows are scored from the beginning."""

BEFORE_MS = 10_000
"""Readings of this long before the time that is measured may belong to its first rows."""

TAIL_S = 10.0
"""After the time that is measured: its last rows wait for the watermark, and with exactly-once for a commit."""

CHECK_EVERY_S = 1.0
"""While rows are measured: looking at five processes costs a millisecond."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.latency", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
        with report.failures_in_words(progress), engines.watched(site):
            figures = measure(site, plant, options, progress)
    finally:
        lifecycle.down(site, progress)
        shutil.rmtree(folder, ignore_errors=True)
    report.finish("latency", figures)


def measure(site: Site, plant: Plant, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    engines.start(site, plant, progress)
    topics.ensure(site, progress)
    with gateway(site, plant) as sending:

        def check() -> None:
            sending.check()
            engines.check(site)

        figures = one_delivery(site, plant, options, progress, check)
        if options.exactly_once:
            again = plant.site(site.base, stream={"delivery": "exactly-once", "checkpoint": options.exactly_once})
            found = one_delivery(again, plant, options, progress, check)
            figures |= {f"exactly_once_{name}": value for name, value in found.items()}
    return {**figures, "cores": len(os.sched_getaffinity(0))}


def gateway(site: Site, plant: Plant) -> AbstractContextManager[Child]:
    """The plant's readings arrive while the block runs."""
    argv = [sys.executable, "-m", "benchmarks.latency.producer", "--bootstrap", endpoints.kafka(site)]
    argv += ["--topic", str(site.topics.readings), "--assets", str(plant.assets), "--past", str(PAST_S)]
    return child_process.running("the gateway", argv, cwd=ROOT)


def one_delivery(
    site: Site, plant: Plant, options: argparse.Namespace, progress: Progress, check: Check
) -> dict[str, Any]:
    """Run the job as the site says, and measure the rows whose edges lie in the time after the warm-up."""
    rest = FlinkRest(endpoints.flink(site))
    with Watch(site) as watch:
        job = submit(site, progress, start="earliest").job_id

        def check_all() -> None:
            check()
            engines.check_job(rest, job)

        watch.wait_until_live(check_all)
        progress.say(f"{site.stream.delivery}: warming up for {options.warm_up:.0f} s")
        sleep(options.warm_up, check, CHECK_EVERY_S)
        begin_ms = time.time_ns() // 1_000_000
        progress.say(f"measuring for {options.seconds:.0f} s")
        sleep(options.seconds, check, CHECK_EVERY_S)
        end_ms = time.time_ns() // 1_000_000
        committed = site.stream.delivery == "exactly-once"
        sleep(TAIL_S + committed * 2 * site.stream.checkpoint / 1_000, check_all)
        sent = readings(site, begin_ms - BEFORE_MS, time.time_ns() // 1_000_000, check_all)
    stop(site, progress, savepoint=False)
    scores = [one for one in watch.scores if begin_ms < one.edge <= end_ms]
    return figures_of(site, plant, scores, sent, (begin_ms, end_ms))


if __name__ == "__main__":
    main()
