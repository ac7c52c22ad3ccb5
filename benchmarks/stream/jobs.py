"""Run the jobs of the stream benchmark, in turn, on the same engines and the same readings."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import engines
from benchmarks.common.waiting import Check
from eugenie_cli.broker import topics
from eugenie_cli.engines import endpoints, pyflink_program
from eugenie_cli.engines.flink_rest import ENDED, FlinkRest
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import lag, package
from eugenie_cli.streaming.upload import DRIVER

POLL_S = 0.5
STALLED_S = 120.0
"""A job without a new record for this long has failed. Starting one takes 20 s, on a busy machine a minute."""

RUNNING = frozenset({"RUNNING"})
STARTED_WITHIN_S, ENDED_WITHIN_S = 120.0, 30.0


def beside(site: Site, name: str) -> Site:
    """A site for another job: the same engines, plant and readings, but its own result topics."""
    readings = str(site.topics.readings)
    return site.model_copy(
        update={
            "site": name,
            "kafka": site.kafka.model_copy(
                update={
                    "bootstrap": endpoints.kafka(site),
                    "topics": site.kafka.topics.model_copy(update={"readings": readings}),
                }
            ),
            "stream": site.stream.model_copy(update={"flink": endpoints.flink(site)}),
            "serving": site.serving.model_copy(update={"address": endpoints.model_server(site)}),
        }
    )


@contextmanager
def running(site: Site, script: Path, progress: Progress) -> Iterator[str]:
    """Submit a job of this folder like the stream job, and cancel it when the block ends. Yields its id."""
    rest = FlinkRest(endpoints.flink(site))
    topics.ensure(site)
    files = package.write(package.job_spec(site, "earliest"), workspace_of(site).flink.absolute() / site.site)
    shutil.copyfile(script, files.entry)
    with progress.task(f"submitting {script.name}"):
        jar = rest.upload_jar(pyflink_program.patched())
        arguments = ["-py", str(files.entry), "-pyfs", str(files.code)]
        arguments += ["-pyexec", sys.executable, "-pyclientexec", sys.executable, str(files.spec)]
        job = rest.run_jar(jar, {"entryClass": DRIVER, "programArgsList": arguments})
    try:
        if rest.wait(job, RUNNING, STARTED_WITHIN_S) not in RUNNING:
            raise EugenieError(f"{script.name} does not run:\n{(rest.exceptions(job) or '')[:2000]}")
        yield job
    finally:
        rest.cancel(job)
        rest.wait(job, ENDED, ENDED_WITHIN_S)


def await_records(site: Site, topic: str, wanted: int, job: str, progress: Progress, check: Check) -> None:
    """Wait until a topic contains `wanted` records.

    Raises whatever `check` raises, and EugenieError if the job has ended or has stalled. Queries the topic's end
    twice a second, which costs the measured machine nothing.
    """
    rest = FlinkRest(endpoints.flink(site))
    count, moved = 0, time.monotonic()
    with progress.task(f"{site.site}: results", total=wanted, unit="records") as advance:
        while count < wanted:
            time.sleep(POLL_S)
            check()
            now = sum(lag.end_offsets(site, topic).values())
            if now > count:
                advance(now - count)
                count, moved = now, time.monotonic()
            engines.check_job(rest, job)
            if time.monotonic() - moved > STALLED_S:
                cause = (rest.exceptions(job) or "")[:2000]
                raise EugenieError(f"the job stalled at {count:,} of {wanted:,} records\n{cause}")
