"""The delay from a complete row to its score on Kafka, in a running plant: 125 assets, 1,000 readings a second.

A row consists of an asset's readings up to an edge of the grid. It is complete when the job may assume that it will
receive no more of them: when a reading of `edge + out_of_orderness` or later, from any asset, is on Kafka. So only the
grid's step and the wait for late readings are excluded from the time between the last reading of the row and its score:

    latency = Kafka's time of the score - Kafka's time of the first reading with ts >= edge + out_of_orderness

Both times are the broker's, which stamps each record that it accepts (LogAppendTime); everything runs on one machine.
The gateway is a separate process and keeps pace with the clock regardless of the job. With exactly-once, a score counts
when a consumer of committed records has it: until then, nobody can read it.
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
from eugenie_cli.operations.down import down
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

ROOT = Path(__file__).parents[2]
PAST_S = WINDOW + 10
"""Seconds of past readings with which the gateway starts, so that rows are scored immediately."""

BEFORE_MS = 10_000
"""Readings up to this long before the measured time may belong to its first rows."""

TAIL_S = 10.0
"""Wait after the measured time: its last rows wait for the watermark and, with exactly-once, for a commit."""

CHECK_EVERY_S = 1.0
"""Interval of checks during the measurement: checking five processes costs a millisecond."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.latency", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--assets", type=int, default=125, help=f"assets with {len(SENSORS)} sensors, read once a second"
    )
    parser.add_argument("--warm-up", type=float, default=60.0, metavar="S", help="seconds before the measurement")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds that are measured")
    parser.add_argument(
        "--exactly-once", metavar="INTERVAL", help="also measure exactly-once, with this checkpoint interval"
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
        down(site, progress)
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
            exactly_once = one_delivery(again, plant, options, progress, check)
            figures |= {f"exactly_once_{name}": value for name, value in exactly_once.items()}
    return {**figures, "cores": len(os.sched_getaffinity(0))}


def gateway(site: Site, plant: Plant) -> AbstractContextManager[Child]:
    """Send the plant's readings while the block runs."""
    argv = [sys.executable, "-m", "benchmarks.latency.producer", "--bootstrap", endpoints.kafka(site)]
    argv += ["--topic", str(site.topics.readings), "--assets", str(plant.assets), "--past", str(PAST_S)]
    return child_process.running("the gateway", argv, cwd=ROOT)


def one_delivery(
    site: Site, plant: Plant, options: argparse.Namespace, progress: Progress, check: Check
) -> dict[str, Any]:
    """Run the job as the site says, and measure the rows whose edges are in the time after the warm-up."""
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
    scores = [score for score in watch.scores if begin_ms < score.edge <= end_ms]
    return figures_of(site, plant, scores, sent, (begin_ms, end_ms))


if __name__ == "__main__":
    main()
