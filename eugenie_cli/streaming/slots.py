"""The slots of the embedded Flink: a job takes one for each task that runs beside the others."""

from __future__ import annotations

from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.polling import wait_until
from eugenie_cli.progress import Progress

THERE_WITHIN_S = 20.0
"""A keeper starts a TaskManager that died again, and that takes seconds."""

POLL_S = 0.5


def check(parallelism: int, rest: FlinkRest, progress: Progress) -> None:
    """Wait until there are slots. Raises EugenieError: none come (UNREACHABLE), or too few (REFUSED)."""
    slots = rest.overview()["slots-total"] or _waited_for(rest, progress)
    if not slots:
        raise EugenieError("the embedded Flink has no TaskManager", "start it again: eugenie up", ExitCode.UNREACHABLE)
    if parallelism > slots:
        raise EugenieError(
            f"a parallelism of {parallelism} is more than the {slots} slots of the embedded Flink",
            "raise engines.slots in the site file, then `eugenie down` and `eugenie up`",
            ExitCode.REFUSED,
        )


def _waited_for(rest: FlinkRest, progress: Progress) -> int:
    with progress.task("waiting for Flink's TaskManager"):
        wait_until(lambda: rest.overview()["slots-total"], THERE_WITHIN_S, POLL_S)
    return int(rest.overview()["slots-total"])
