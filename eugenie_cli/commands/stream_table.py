"""The tables and messages of `eugenie stream`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.commands.options import Output
from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError, ExitCode

if TYPE_CHECKING:
    from eugenie_cli.streaming.metrics import OperatorLoad
    from eugenie_cli.streaming.offline_replay import Scored
    from eugenie_cli.streaming.replay import Replayed
    from eugenie_cli.streaming.status import StreamStatus

LONGEST_NAME = 60
MOST_ASSETS = 10
"""Assets with something to report that a status names."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def show(console: Console, job: StreamStatus) -> None:
    """Shows a status as two tables: the main facts, and the load of each operator."""
    console.table(["what", "now"], list(_rows(job)))
    if job.operators:
        console.table(
            ["operator", "parallel", "busy", "back pressure", "in/s", "out/s"],
            [_operator(operator) for operator in job.operators],
            right=("parallel", "busy", "back pressure", "in/s", "out/s"),
            caption="rates are averages over the last minute; shares are those of the busiest subtask",
        )
    for report in job.assets[:MOST_ASSETS]:
        console.say(f"{report.asset}: {'; '.join(report.lines)}")
    if len(job.assets) > MOST_ASSETS:
        console.say(f"and {len(job.assets) - MOST_ASSETS:,} more assets: eugenie stream status -o json")
    for note in job.notes:
        console.say(note)
    for problem in job.problems:
        console.say(f"{problem.what}; next: {problem.next}")


def _rows(job: StreamStatus) -> Iterator[tuple[str, str]]:
    restarts = f", {job.restarts} restarts" if job.restarts else ""
    yield "state", f"{job.state}{f' for {duration(job.uptime_s)}' if job.uptime_s else ''}{restarts}"
    if job.failure:
        yield "last failure", f"{job.failed_at}: {job.failure}"
    if job.job_id is not None:
        yield "job", f"{job.job_id}\n{job.address}"
        yield "figures", _figures(job)
        hidden = f"; {job.hidden:,} more in or after open transactions" if job.hidden else ""
        yield "lag", "unknown" if job.lag is None else f"{job.lag:,} records not read yet{hidden}"
        yield "readings", f"{job.readings_per_s:,.1f} records/s in"
        yield "scores", f"{job.scores_per_s:,.1f} records/s out"
        behind = "" if job.watermark_delay_s is None else f", {duration(job.watermark_delay_s)} behind the clock"
        yield "event time", f"{job.watermark or 'none yet'}{behind}"
        yield "checkpoints", _checkpoints(job)
        yield "Predict", _predict(job)
        letters = ", ".join(f"{count:,} {reason}" for reason, count in job.dead_letters.items())
        yield "dead letters", letters or "none"
        if job.ignored_readings:
            yield "ignored", f"{job.ignored_readings:,} readings of tags that the site does not have"
        if job.repeated_readings:
            yield "repeated", f"{job.repeated_readings:,} readings of an unchanged instant and value"
        if job.conflicting_readings:
            yield "conflicts", f"{job.conflicting_readings:,} readings beside another one at the instant"
    if job.model_server is not None:
        server = job.model_server
        versions = ", ".join(f"{name} {version}" for name, version in server.models.items() if version is not None)
        yield "model server", f"{server.address or 'none'}: {server.detail}{f'; {versions}' if versions else ''}"
    if job.savepoint:
        yield "savepoint", job.savepoint


def _figures(job: StreamStatus) -> str:
    from eugenie_cli.streaming.metrics import STALE_S
    from eugenie_cli.streaming.status import RUNNING

    if job.state != RUNNING:
        return "none: not all of its tasks are running"
    if job.figures_age_s is None:
        return "of an unknown age"
    return f"{'STALE: ' if job.figures_age_s > STALE_S else ''}{duration(job.figures_age_s)} old"


def _checkpoints(job: StreamStatus) -> str:
    failed = f", {job.failed_checkpoints:,} failed" if job.failed_checkpoints else ""
    if job.last_checkpoint_age_s is None:
        return f"none yet{failed}"
    size = (job.last_checkpoint_bytes or 0) / 2**20
    return (
        f"{job.checkpoints:,} done{failed}; the last {duration(job.last_checkpoint_age_s)} ago,"
        f" {size:.2f} MiB in {job.last_checkpoint_s or 0:.2f} s"
    )


def _predict(job: StreamStatus) -> str:
    mean = "" if job.predict_mean_ms is None else f", {job.predict_mean_ms:.1f} ms each"
    return f"{job.predict_calls:,} calls for {job.predict_windows:,} windows{mean}"


def _operator(operator: OperatorLoad) -> tuple[str, ...]:
    name = operator.name if len(operator.name) <= LONGEST_NAME else f"{operator.name[:LONGEST_NAME]}..."
    shares = ["" if share is None else f"{share:.0%}" for share in (operator.busy, operator.back_pressured)]
    return (
        name,
        str(operator.parallelism),
        *shares,
        f"{operator.records_in_per_s:,.1f}",
        f"{operator.records_out_per_s:,.1f}",
    )


def duration(seconds: float) -> str:
    """`0.4 s`, `12 min`, `3.5 h`, `2.0 d`: in the largest unit that gives at least 1."""
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} s"


def check_replay(
    bounded: bool, version: str, scores: Path | None, anomalies: Path | None, speed: float | None, force: bool
) -> None:
    """Raises EugenieError (USAGE) for options of the other kind of replay."""
    if bounded:
        invalid = ["--speed"] * (speed is not None) + ["--force"] * force
    else:
        invalid = ["--scores"] * (scores is not None) + ["--anomalies"] * (anomalies is not None)
        invalid += ["--model-version"] * (version != "champion")
    if invalid:
        reason = "no effect with --bounded" if bounded else "only for --bounded; the running job writes to its topics"
        raise EugenieError(f"{', '.join(invalid)}: {reason}", "omit it", ExitCode.USAGE)


def show_replay(console: Console, sent: Replayed, output: Output) -> None:
    if output is Output.json:
        console.json(sent)
        return
    rows = [[f"{sent.messages:,}", sent.start, sent.end, f"{sent.seconds:.1f}"]]
    console.table(["messages", "from", "to", "seconds"], rows, right=("messages", "seconds"))
    _say_rejected(console, sent.rejected)


def say_scored(console: Console, scored: Scored) -> None:
    console.say(f"{scored.rows:,} rows, {scored.scores:,} of them scored; {scored.anomalies:,} anomaly records")
    _say_rejected(console, scored.rejected)


def _say_rejected(console: Console, rejected: dict[str, int]) -> None:
    if rejected:
        console.say(f"rejected: {', '.join(f'{count:,} {reason}' for reason, count in rejected.items())}")
