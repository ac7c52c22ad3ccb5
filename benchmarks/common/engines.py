"""The engines of a benchmark: start them with a model, check them while waiting, and name one that died."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import model, waiting
from benchmarks.common.child_process import LAST_LINES, DeadProcessError, in_words
from benchmarks.common.plant import Plant
from eugenie_cli.engines import process
from eugenie_cli.engines.flink_rest import ENDED, FlinkRest
from eugenie_cli.errors import EugenieError
from eugenie_cli.operations.up import up
from eugenie_cli.progress import Progress
from eugenie_cli.serving import local
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

LOADED_WITHIN_S = 60.0


def start(site: Site, served: Plant, progress: Progress) -> None:
    """Start Kafka, Flink and the model server with a model for the assets of `served`; return once it is loaded."""
    model.publish(site, served, progress)
    up(site, progress, only=("kafka", "flink"))
    local.start(site, progress)
    waiting.until(
        lambda: any(version.state == "AVAILABLE" for version in local.status(site).models),
        LOADED_WITHIN_S,
        "the model server has not loaded the model",
        lambda: check(site),
    )


def check(site: Site) -> None:
    """Return while every engine that was started for the site runs. Raises DeadProcessError with the end of its log."""
    for run_file in sorted(workspace_of(site).run.glob("*.json")):
        recorded = process.read_run_file(run_file)
        if recorded is None:  # another kind of record
            continue
        ending = _ended(recorded.pid)
        if ending is None and process.identify(run_file) is not None:
            continue
        last_lines = process.tail(Path(recorded.log), LAST_LINES).replace("\n", "\n  ")
        raise DeadProcessError(f"{recorded.name} {ending or 'died'}; the end of {recorded.log}:\n  {last_lines}")


@contextmanager
def watched(site: Site) -> Iterator[None]:
    """Replace an error of the block by that of an engine that died, if one did: a client's error says less."""
    try:
        yield
    except Exception as error:
        if (noticed := _noticed(error)) is not None:
            raise noticed from None
        try:
            check(site)
        except DeadProcessError as died:
            raise died from error
        raise


def check_job(rest: FlinkRest, job: str) -> None:
    """Return while Flink's job runs or may still start. Raises EugenieError with the cause once it has ended."""
    state = (rest.job(job) or {}).get("state", "UNKNOWN")
    if state in ENDED:
        raise EugenieError(f"the job is {state}\n{(rest.exceptions(job) or '')[:2000]}")


def _noticed(error: BaseException | None) -> DeadProcessError | None:
    """The DeadProcessError that an error is, or during whose handling the clean-up failed for the same reason."""
    while error is not None and not isinstance(error, DeadProcessError):
        error = error.__context__
    return error


def _ended(pid: int) -> str | None:
    """How a child of this process ended; None while it runs, or if its status was collected already."""
    try:
        status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if status is None:
        return None
    return in_words(status.si_status if status.si_code == os.CLD_EXITED else -status.si_status)
