"""Refuses to resume a job from a state that no longer fits the site file."""

from __future__ import annotations

from collections.abc import Sequence

from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming.spec_diff import STATE_BACKEND, Change, changes
from eugenie_cli.streaming.start_position import CHECKPOINT, Snapshot

START_OVER = "`eugenie stream stop`, then `eugenie stream submit --start-at latest`, to start with empty windows"


def check_upgrade(running: str, last: JobRecord | None, shape: dict) -> tuple[Change, ...]:
    """What an upgrade changes. Raises EugenieError (REFUSED) when the state cannot be kept or is unknown."""
    if last is None or last.job_id != running or not last.shape:
        raise EugenieError(
            f"the specification of job {running} is unknown: it was submitted from another workspace",
            "stop it and submit it from here: `eugenie stream stop`, then `eugenie stream submit`",
            ExitCode.REFUSED,
        )
    differences = changes(last.shape, shape)
    refused = [change for change in differences if not change.compatible]
    if refused:
        raise EugenieError(
            f"the running job's state no longer fits the site file, so it keeps running:\n{listed(refused)}",
            f"undo these changes; or {START_OVER}",
            ExitCode.REFUSED,
        )
    return differences


def check_state(state: Snapshot, changed: tuple[Change, ...]) -> None:
    """Raises EugenieError (REFUSED) when a job cannot resume from a state after these changes."""
    # another backend can read a savepoint, but not a checkpoint, which is in its backend's own format
    unreadable = STATE_BACKEND if state.kind == CHECKPOINT else None
    refused = [change for change in changed if not change.compatible or change.what == unreadable]
    if refused:
        raise EugenieError(
            f"the last job's {state.kind} no longer fits the site file:\n{listed(refused)}",
            "undo these changes; or start with empty windows: `eugenie stream submit --start-at latest`, earliest or"
            " an instant",
            ExitCode.REFUSED,
        )


def listed(differences: Sequence[Change]) -> str:
    """Changes, one a line."""
    return "\n".join(f"  {change}" for change in differences)
