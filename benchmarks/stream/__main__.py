"""Readings per second from Kafka to Kafka: the stream job, a naive job, and the JVM alone.

All engines run on this machine, in a temporary workspace; all ratios are from one run. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import engines, report
from benchmarks.common.plant import SENSORS, WINDOW, Plant
from benchmarks.stream import runs, tags
from benchmarks.stream.preload import preload
from eugenie_cli.broker import topics
from eugenie_cli.console import Console
from eugenie_cli.operations.down import down
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site

ENDS = 0.12
"""Share of readings sent in addition to those requested: a measurement leaves out some at either end."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.stream", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=5_000_000, help="readings for the stream job")
    parser.add_argument(
        "--naive", type=int, default=30_000, help="readings for the naive job, after the windows are full"
    )
    parser.add_argument("--assets", type=int, default=20, help=f"assets with {len(SENSORS)} sensors")
    parser.add_argument(
        "--parallelism", type=int, default=1, help="parallelism of every job, and partitions of the readings topic"
    )
    parser.add_argument("--delivery", choices=("exactly-once", "at-least-once"), default="exactly-once")
    parser.add_argument("--checkpoint", default="1s", help="interval of checkpoints")
    parser.add_argument("--tags-ratio", action="store_true", help="also compare 20,000 tags with 160")
    parser.add_argument("--tags-readings", type=int, default=2_400_000, help="readings of each run of --tags-ratio")
    parser.add_argument("--keep", action="store_true", help="keep the workspace, with the engines' logs")
    return parser.parse_args()


def main() -> None:
    options, progress = arguments(), Console()
    report.end_on_term()
    folder = Path(tempfile.mkdtemp(prefix="eugenie-bench-"))
    plant = Plant(options.assets)
    site = plant.site(
        folder,
        kafka={"partitions": options.parallelism},
        stream={
            "parallelism": options.parallelism,
            "checkpoint": options.checkpoint,
            "delivery": options.delivery,
        },
    )
    began = time.monotonic()
    try:
        with report.failures_in_words(progress), engines.watched(site):
            figures = measure(site, plant, options, progress)
    finally:
        down(site, progress)
        if options.keep:
            progress.say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report.finish("stream", {**figures, "seconds": time.monotonic() - began})


def measure(site: Site, plant: Plant, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Start the engines and measure everything."""
    served = max(plant, tags.MANY, key=lambda candidate: candidate.assets) if options.tags_ratio else plant
    engines.start(site, served, progress)
    figures = compare_jobs(site, plant, options, progress)
    if options.tags_ratio:
        figures |= tags.compare(site, options.tags_readings, progress)
    return figures


def compare_jobs(site: Site, plant: Plant, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """The three jobs on the same readings."""
    # whole steps, after the rows that fill the windows
    steps = {
        name: WINDOW + max(-(-readings // plant.readings_per_step), WINDOW)
        for name, readings in (("ours", int(options.readings * (1 + ENDS))), ("naive", options.naive))
    }
    sent = max(steps.values()) * plant.readings_per_step
    topics.ensure(site, progress)
    preload(site, plant.messages(sent), sent, progress, lambda: engines.check(site))

    run = runs.stream_job(site, plant, sent, progress)
    ours = run.whole
    progress.say(f"stream job: {ours.readings_per_s:,.0f} readings/s, {ours.readings_per_cpu_s:,.0f} per CPU second")
    naive = runs.naive_job(site, plant, steps["naive"], progress)
    progress.say(f"naive job: {naive.readings_per_s:,.0f} readings/s, {naive.readings_per_cpu_s:,.0f} per CPU second")
    ceiling = runs.ceiling_job(site, sent, progress)
    progress.say(
        f"JVM alone: {ceiling.readings_per_s:,.0f} readings/s, {ceiling.readings_per_cpu_s:,.0f} per CPU second"
    )
    return {
        "readings_per_s": ours.readings_per_s,
        "readings_per_cpu_s": ours.readings_per_cpu_s,
        "cpu_s_per_million": 1e6 / ours.readings_per_cpu_s,
        "ratio_to_naive": ours.readings_per_s / naive.readings_per_s,
        "cpu_ratio_to_naive": ours.readings_per_cpu_s / naive.readings_per_cpu_s,
        "share_of_jvm_ceiling": ours.readings_per_s / ceiling.readings_per_s,
        "cpu_share_of_jvm_ceiling": ours.readings_per_cpu_s / ceiling.readings_per_cpu_s,
        "readings_lost": run.lost,
        "naive_readings_per_s": naive.readings_per_s,
        "naive_cpu_s_per_million": 1e6 / naive.readings_per_cpu_s,
        "jvm_ceiling_readings_per_s": ceiling.readings_per_s,
        "jvm_ceiling_cpu_s_per_million": 1e6 / ceiling.readings_per_cpu_s,
        "readings_per_s_second_half": run.second_half.readings_per_s,
        "memory_mib": run.memory_mib,
        "cpu_s_per_million_by_engine": ours.per_million(ours.cpu),
        "cpu_s_per_million_by_operator": ours.per_million(run.operators),
        "busy_by_operator": run.busy,
        "naive_cpu_s_per_million_by_engine": naive.per_million(naive.cpu),
        "jvm_ceiling_cpu_s_per_million_by_operator": ceiling.per_million(ceiling.operators),
        "readings_sent": sent,
        "readings_measured": ours.readings,
        "naive_readings_measured": naive.readings,
        "parallelism": options.parallelism,
        "delivery": options.delivery,
        "cores": len(os.sched_getaffinity(0)),
    }


if __name__ == "__main__":
    main()
