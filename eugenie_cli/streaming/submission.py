"""The result of `submit`: the job, and what it starts from."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.progress import Progress
from eugenie_cli.streaming.spec_diff import Change
from eugenie_cli.streaming.start_position import AUTO, GROUP_OFFSETS, Snapshot, Start


@dataclass(frozen=True)
class Submission:
    """A job that was started, or was already running."""

    job_id: str
    address: str
    started: bool
    """False when it was already running and was left unchanged."""
    resumed_from: str | None
    """The savepoint or checkpoint that it resumes from."""
    origin: str
    """savepoint | checkpoint | group offsets | earliest | latest | timestamp; empty when it was not started."""
    changes: tuple[Change, ...] = ()
    """What the site file changed in the started job, or would change in the running one."""


def origin(requested: Start, state: Snapshot | None) -> str:
    """`Submission.origin` of a job that starts from `state`, or else as requested."""
    if state is not None:
        return state.kind
    return GROUP_OFFSETS if requested.kind == AUTO else requested.kind


def say_origin(last: JobRecord | None, requested: Start, state: Snapshot | None, progress: Progress) -> None:
    """Report the state that a job resumes from, or that there is none although a job ran before."""
    if state is not None:
        progress.say(f"resuming from the {state.kind} {state.path}")
    elif requested.kind == AUTO and last is not None and not last.drained:
        progress.say(
            "no state of the last job was found: resuming after the readings that it committed, with empty windows"
        )


def nothing_done(rest: FlinkRest, last: JobRecord | None) -> Submission:
    """The result when a job that was ended on purpose is left as it is."""
    return Submission(last.job_id if last is not None else "", rest.address, False, None, "")


def page(rest: FlinkRest, job_id: str) -> str:
    """The job's page in Flink."""
    return f"{rest.address}/#/job/{job_id}/overview"
