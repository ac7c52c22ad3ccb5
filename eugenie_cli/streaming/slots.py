"""The slots of the embedded Flink: a job needs one for each parallel task."""

from __future__ import annotations

from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.polling import wait_until
from eugenie_cli.progress import Progress

APPEARS_WITHIN_S = 20.0
"""The supervisor restarts a dead TaskManager, which takes seconds."""

POLL_S = 0.5


def check(parallelism: int, rest: FlinkRest, progress: Progress) -> None:
    """Wait for slots. Raises EugenieError when none appear (UNREACHABLE) or too few exist (REFUSED)."""
    slots = rest.overview()["slots-total"] or _await_slots(rest, progress)
    if not slots:
        raise EugenieError("the embedded Flink has no TaskManager", "restart it: eugenie up", ExitCode.UNREACHABLE)
    if parallelism > slots:
        raise EugenieError(
            f"a parallelism of {parallelism} is more than the {slots} slots of the embedded Flink",
            "raise engines.slots in the site file, then `eugenie down` and `eugenie up`",
            ExitCode.REFUSED,
        )


def _await_slots(rest: FlinkRest, progress: Progress) -> int:
    with progress.task("waiting for Flink's TaskManager"):
        wait_until(lambda: rest.overview()["slots-total"], APPEARS_WITHIN_S, POLL_S)
    return int(rest.overview()["slots-total"])
