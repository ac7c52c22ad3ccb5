"""The jobs of the stream benchmark, each run to its end and measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import engines
from benchmarks.common.plant import STEP_MS, Plant
from benchmarks.stream import jobs, measurement
from benchmarks.stream.ceiling_job import MARK_EVERY
from benchmarks.stream.measurement import Pace, Result
from benchmarks.stream.meter import WORKERS, Meter
from benchmarks.stream.profile import Profile
from eugenie_cli.broker import consume
from eugenie_cli.episodes.records import iso
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

HERE = Path(__file__).parent


@dataclass(frozen=True)
class StreamRun:
    """Result of the stream job; `lost` readings are in no record. `operators`: CPU seconds of `whole` by operator."""

    whole: Pace
    second_half: Pace
    operators: dict[str, float]
    lost: int
    memory_mib: float
    busy: dict[str, float]


def stream_job(site: Site, plant: Plant, sent: int, progress: Progress, owner: Site | None = None) -> StreamRun:
    """The real job, submitted as a user would. `owner`: the site whose engines run, if they are not this site's.

    The last rows wait for the watermark, so the pace is measured up to the rows that it lets through. Then the stream
    is drained, and every reading must be in a score record or a dead letter.
    """
    steps = sent // plant.readings_per_step
    through = plant.start_ms + (steps - 1) * STEP_MS - site.stream.out_of_orderness
    rows = (through - plant.start_ms) // STEP_MS * plant.assets
    scores = str(site.topics.scores)
    with Meter(owner or site) as meter, Profile(meter.busiest_worker, progress) as profile:
        job = submit(site, progress, start="earliest").job_id
        meter.watch(job)
        jobs.await_records(site, scores, rows, job, progress, lambda: engines.check(owner or site))
    stop(site, progress, drain=True)
    results = measurement.results(site, scores)
    accounted = sum(result.readings for result in results) + dead_letters(site)
    # ISO strings sort like instants
    in_time = [result for result in results if str(result.ts) <= iso(through)]
    whole, second_half = (measurement.pace(in_time, meter, is_scored, share) for share in (1.0, 0.5))
    operators = dict(whole.operators)
    worker = operators.pop(WORKERS, 0.0)
    operators |= {f"{WORKERS}: {name}": worker * share for name, share in (profile.shares or {"all": 1.0}).items()}
    return StreamRun(whole, second_half, operators, sent - accounted, meter.memory_mib(), meter.busy())


def dead_letters(site: Site) -> int:
    """Readings that the stream job refused."""
    letters = consume.read(site, str(site.topics.dead_letters), until_end=True)
    return sum(json.loads(letter.value or b"{}").get("count", 1) for letter in letters)


def naive_job(site: Site, plant: Plant, steps: int, progress: Progress) -> Pace:
    """The naive job, on the first `steps` seconds of the same readings."""
    naive = jobs.beside(site, "naive")
    rows = (steps - 1) * plant.assets  # a row is made when the next second starts
    scores = str(naive.topics.scores)
    with Meter(site) as meter, jobs.running(naive, HERE / "naive_job.py", progress) as job:
        meter.watch(job)
        jobs.await_records(naive, scores, rows, job, progress, lambda: engines.check(site))
    return measurement.pace(measurement.results(naive, scores), meter, is_scored)


def ceiling_job(site: Site, sent: int, progress: Progress) -> Pace:
    """Flink alone reading and parsing all the readings."""
    ceiling = jobs.beside(site, "ceiling")
    marks = str(ceiling.topics.scores)
    with Meter(site) as meter, jobs.running(ceiling, HERE / "ceiling_job.py", progress) as job:
        meter.watch(job)
        wanted = sent // MARK_EVERY - site.stream.parallelism
        jobs.await_records(ceiling, marks, wanted, job, progress, lambda: engines.check(site))
    return measurement.pace(measurement.results(ceiling, marks), meter, lambda _mark: True)


def is_scored(result: Result) -> bool:
    return result.scored
