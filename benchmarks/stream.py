"""Readings a second from Kafka to Kafka: the stream job, a naive one, and what the JVM alone could do.

All engines run on this machine, in a temporary workspace; all ratios are of one run. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any

import report
import stream_jobs
import stream_measure
import stream_model
from ceiling_job import MARK_EVERY
from stream_measure import CpuMeter, Pace
from stream_plant import SENSORS, START_MS, STEP_MS, WINDOW, Plant

from eugenie_cli.broker import consume, topics
from eugenie_cli.broker.produce import Producer
from eugenie_cli.console import Console
from eugenie_cli.embedded import engines
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Progress
from eugenie_cli.serving import local
from eugenie_cli.site.model import Site
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

HERE = Path(__file__).parent
LOADED_WITHIN_S = 60.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--readings", type=int, default=400_000, help="readings for the stream job, windows being full")
    parser.add_argument("--naive", type=int, default=30_000, help="readings for the naive job, windows being full")
    parser.add_argument("--assets", type=int, default=20, help=f"assets of {len(SENSORS)} sensors")
    parser.add_argument("--parallelism", type=int, default=1, help="of every job, and partitions of the readings")
    parser.add_argument("--delivery", choices=("exactly-once", "at-least-once"), default="exactly-once")
    parser.add_argument("--checkpoint", default="1s", help="between two checkpoints")
    parser.add_argument("--keep", action="store_true", help="keep the workspace, with the engines' logs")
    return parser.parse_args()


def main() -> None:
    options, progress = arguments(), Console()
    signal.signal(signal.SIGTERM, _interrupt)
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
        figures = measure(site, plant, options, progress)
    except EugenieError as error:
        progress.error(error.reason, error.hint)
        raise SystemExit(int(error.exit_code)) from None
    except KeyboardInterrupt:
        raise SystemExit(int(ExitCode.INTERRUPTED)) from None
    finally:
        engines.down(site, progress)
        if options.keep:
            progress.say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report.finish("stream", {**figures, "seconds": time.monotonic() - began})


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def measure(site: Site, plant: Plant, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Everything between the engines' start and their end."""
    stream_model.publish(site, plant, progress)
    engines.up(site, progress, only=("kafka", "flink"))
    local.start(site, progress)
    _await_model(site)
    # whole steps, after the rows that fill the windows; a whole number of marks is left to the ceiling
    steps = {
        name: WINDOW + max(-(-wanted // plant.readings_per_step), WINDOW)
        for name, wanted in (("ours", options.readings), ("naive", options.naive))
    }
    sent = max(steps.values()) * plant.readings_per_step
    topics.ensure(site, progress)
    preload(site, plant, sent, progress)

    ours, second_half, lost = stream_job(site, plant, sent, progress)
    progress.say(f"stream job: {ours.readings_per_s:,.0f} readings/s, {ours.readings_per_cpu_s:,.0f} a CPU second")
    naive = naive_job(site, plant, steps["naive"], progress)
    progress.say(f"naive job: {naive.readings_per_s:,.0f} readings/s, {naive.readings_per_cpu_s:,.0f} a CPU second")
    ceiling = ceiling_job(site, sent, progress)
    progress.say(f"JVM alone: {ceiling.readings_per_s:,.0f} readings/s, {ceiling.readings_per_cpu_s:,.0f} a CPU second")
    return {
        "readings_per_s": ours.readings_per_s,
        "readings_per_cpu_s": ours.readings_per_cpu_s,
        "cpu_s_per_million": sum(ours.cpu_s_per_million().values()),
        "ratio_to_naive": ours.readings_per_s / naive.readings_per_s,
        "cpu_ratio_to_naive": ours.readings_per_cpu_s / naive.readings_per_cpu_s,
        "share_of_jvm_ceiling": ours.readings_per_s / ceiling.readings_per_s,
        "readings_lost": lost,
        "naive_readings_per_s": naive.readings_per_s,
        "naive_cpu_s_per_million": sum(naive.cpu_s_per_million().values()),
        "jvm_ceiling_readings_per_s": ceiling.readings_per_s,
        "jvm_ceiling_cpu_s_per_million": sum(ceiling.cpu_s_per_million().values()),
        "readings_per_s_second_half": second_half.readings_per_s,
        "cpu_s_per_million_by_engine": ours.cpu_s_per_million(),
        "naive_cpu_s_per_million_by_engine": naive.cpu_s_per_million(),
        "readings_sent": sent,
        "readings_measured": ours.readings,
        "naive_readings_measured": naive.readings,
        "parallelism": options.parallelism,
        "delivery": options.delivery,
        "cores": len(os.sched_getaffinity(0)),
    }


def _await_model(site: Site) -> None:
    deadline = time.monotonic() + LOADED_WITHIN_S
    while not any(model.state == "AVAILABLE" for model in local.status(site).models):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the model server has not loaded the model within {LOADED_WITHIN_S:.0f} s")
        time.sleep(0.5)


def preload(site: Site, plant: Plant, count: int, progress: Progress) -> None:
    """All readings, on Kafka before any job runs."""
    topic = str(site.topics.readings)
    with progress.task("preloading", total=count, unit="readings") as advance, Producer(site) as producer:
        for key, value in plant.messages(count):
            producer.send(topic, key, value)
            advance(1)


def stream_job(site: Site, plant: Plant, sent: int, progress: Progress) -> tuple[Pace, Pace, int]:
    """The real one, submitted as a user submits it. Its pace, that of its second half, and how many readings it lost.

    Its last rows wait for the watermark, so the pace is taken up to the rows that the watermark lets through; then
    the stream is drained, and every reading must be in a score record or a dead letter.
    """
    steps = sent // plant.readings_per_step
    through = START_MS + (steps - 1) * STEP_MS - site.stream.out_of_orderness
    rows = (through - START_MS) // STEP_MS * plant.assets
    scores = str(site.topics.scores)
    with CpuMeter(site) as meter:
        job = submit(site, progress, start="earliest").job_id
        stream_jobs.await_records(site, scores, rows, job, progress)
    stop(site, progress, drain=True)
    found = stream_measure.results(site, scores)
    accounted = sum(one.readings for one in found) + dead_letters(site)
    # iso texts sort as instants do
    in_time = [one for one in found if one.record["ts"] <= iso(through)]
    ours, second_half = (stream_measure.pace(in_time, meter, _is_scored, share) for share in (1.0, 0.5))
    return ours, second_half, sent - accounted


def dead_letters(site: Site) -> int:
    """Readings that the stream job refused."""
    letters = consume.read(site, str(site.topics.dead_letters), until_end=True)
    return sum(json.loads(one.value or b"{}").get("count", 1) for one in letters)


def naive_job(site: Site, plant: Plant, steps: int, progress: Progress) -> Pace:
    """The naive one, on the first `steps` seconds of the same readings."""
    naive = stream_jobs.beside(site, "naive")
    rows = (steps - 1) * plant.assets  # a row is made when the next second begins
    scores = str(naive.topics.scores)
    with CpuMeter(site) as meter, stream_jobs.running(naive, HERE / "naive_job.py", progress) as job:
        stream_jobs.await_records(naive, scores, rows, job, progress)
    found = stream_measure.results(naive, scores)
    return stream_measure.pace(found, meter, _is_scored)


def ceiling_job(site: Site, sent: int, progress: Progress) -> Pace:
    """The front's SQL alone, on all the readings."""
    ceiling = stream_jobs.beside(site, "ceiling")
    marks = str(ceiling.topics.scores)
    with CpuMeter(site) as meter, stream_jobs.running(ceiling, HERE / "ceiling_job.py", progress) as job:
        stream_jobs.await_records(ceiling, marks, sent // MARK_EVERY - site.stream.parallelism, job, progress)
    return stream_measure.pace(stream_measure.results(ceiling, marks), meter, lambda _mark: True)


def _is_scored(result: stream_measure.Result) -> bool:
    return result.scored


if __name__ == "__main__":
    main()
