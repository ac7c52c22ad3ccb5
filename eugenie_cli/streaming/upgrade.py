"""Ends the old job of an upgrade, and finds where the new one resumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from eugenie_cli.engines import job_record
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Progress
from eugenie_cli.streaming import resume_point
from eugenie_cli.streaming.compatibility import check_state
from eugenie_cli.streaming.job import SiteJob
from eugenie_cli.streaming.resume_point import Place
from eugenie_cli.streaming.spec_diff import Change
from eugenie_cli.streaming.start_position import AUTO, SAVEPOINT, Snapshot, Start
from eugenie_cli.streaming.stop import stop_here


def stop_old(job: SiteJob, place: Place, changed: tuple[Change, ...], progress: Progress) -> Place:
    """Stop the old job with a savepoint; returns `place` with it and its offsets.

    A job that fails again and again gives no savepoint: the new one resumes from its last checkpoint, or begins where
    it began if it has completed none. Raises EugenieError when its checkpoint is gone, or when `changed` does not fit.
    """
    running = job.running()
    has_state = running is None or bool(job.rest.checkpoints(running)["counts"]["completed"])
    stopped = stop_here(job, progress)
    if stopped.savepoint is not None:
        state = Snapshot(SAVEPOINT, stopped.savepoint)
        return replace(place, state=state, offsets=_offsets(job, state))
    resumes = resume_point.find(job, job_record.load(job.workspace), Start(AUTO), progress)
    if resumes.state is None and not has_state:
        return resumes  # it failed before its first checkpoint: the new job begins where it began
    if resumes.state is None:
        raise EugenieError("the old job has ended and left no checkpoint", "eugenie stream submit", ExitCode.FAILED)
    check_state(resumes.state, changed)
    progress.say(f"resuming from the {resumes.state.kind} {resumes.state.path}")
    return resumes


@contextmanager
def explaining(upgrading: bool) -> Iterator[None]:
    """Adds to an error in the block that the old job has been stopped, if it was."""
    try:
        yield
    except EugenieError as error:
        if not upgrading:
            raise
        raise EugenieError(
            f"the old job was stopped, but the new one was not accepted: {error.reason}",
            "correct it, then run `eugenie stream submit`: it resumes from the state of the old job; readings wait in"
            " Kafka",
        ) from error


def _offsets(job: SiteJob, state: Snapshot) -> dict[int, int]:
    """Where the new job begins to read; empty if unknown: the old job has ended, and only the lag depends on it."""
    try:
        return resume_point.at(job.rest, state, job.readings) or {}
    except EugenieError:
        return {}
