"""How `eugenie stream` shows what it found."""

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
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def show(console: Console, found: StreamStatus) -> None:
    """A status as two tables: what a person asks first, and the load of each operator."""
    console.table(["what", "now"], list(_rows(found)))
    if found.operators:
        console.table(
            ["operator", "parallel", "busy", "back pressure", "in/s", "out/s"],
            [_operator(one) for one in found.operators],
            right=("parallel", "busy", "back pressure", "in/s", "out/s"),
            caption="rates are averages of the last minute; shares are of the busiest subtask",
        )
    for note in found.notes:
        console.say(note)
    for problem in found.problems:
        console.say(f"{problem.what}; next: {problem.next}")


def _rows(found: StreamStatus) -> Iterator[tuple[str, str]]:
    restarts = f", {found.restarts} restarts" if found.restarts else ""
    yield "state", f"{found.state}{f' for {duration(found.uptime_s)}' if found.uptime_s else ''}{restarts}"
    if found.failure:
        yield "last failure", f"{found.failed_at}: {found.failure}"
    if found.job_id is not None:
        yield "job", f"{found.job_id}\n{found.address}"
        yield "figures", _figures(found)
        yield "lag", "not known" if found.lag is None else f"{found.lag:,} records not read yet"
        yield "readings", f"{found.readings_per_s:,.1f} records/s in"
        yield "scores", f"{found.scores_per_s:,.1f} records/s out"
        behind = "" if found.watermark_delay_s is None else f", {duration(found.watermark_delay_s)} behind the clock"
        yield "event time", f"{found.watermark or 'none yet'}{behind}"
        yield "checkpoints", _checkpoints(found)
        yield "Predict", _predict(found)
        letters = ", ".join(f"{count:,} {reason}" for reason, count in found.dead_letters.items())
        yield "dead letters", letters or "none"
    if found.model_server is not None:
        server = found.model_server
        versions = ", ".join(f"{name} {version}" for name, version in server.models.items() if version is not None)
        yield "model server", f"{server.address or 'none'}: {server.detail}{f'; {versions}' if versions else ''}"
    if found.savepoint:
        yield "savepoint", found.savepoint


def _figures(found: StreamStatus) -> str:
    from eugenie_cli.streaming.metrics import STALE_S
    from eugenie_cli.streaming.status import RUNNING

    if found.state != RUNNING:
        return "none: its tasks do not all run"
    if found.figures_age_s is None:
        return "of an unknown age"
    return f"{'STALE: ' if found.figures_age_s > STALE_S else ''}{duration(found.figures_age_s)} old"


def _checkpoints(found: StreamStatus) -> str:
    failed = f", {found.failed_checkpoints:,} failed" if found.failed_checkpoints else ""
    if found.last_checkpoint_age_s is None:
        return f"none yet{failed}"
    size = (found.last_checkpoint_bytes or 0) / 2**20
    return (
        f"{found.checkpoints:,} done{failed}; the last {duration(found.last_checkpoint_age_s)} ago,"
        f" {size:.2f} MiB in {found.last_checkpoint_s or 0:.2f} s"
    )


def _predict(found: StreamStatus) -> str:
    mean = "" if found.predict_mean_ms is None else f", {found.predict_mean_ms:.1f} ms each"
    return f"{found.predict_calls:,} calls for {found.predict_windows:,} windows{mean}"


def _operator(one: OperatorLoad) -> tuple[str, ...]:
    name = one.name if len(one.name) <= LONGEST_NAME else f"{one.name[:LONGEST_NAME]}..."
    shares = ["" if share is None else f"{share:.0%}" for share in (one.busy, one.back_pressured)]
    return name, str(one.parallelism), *shares, f"{one.records_in_per_s:,.1f}", f"{one.records_out_per_s:,.1f}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 min`, `3.5 h`, `2.0 d`: the largest unit of which there is one."""
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} s"


def check_replay(
    bounded: bool, version: str, scores: Path | None, anomalies: Path | None, speed: float | None, force: bool
) -> None:
    """Raise EugenieError (USAGE) for options of the other kind of replay."""
    if bounded:
        strange = ["--speed"] * (speed is not None) + ["--force"] * force
    else:
        strange = ["--scores"] * (scores is not None) + ["--anomalies"] * (anomalies is not None)
        strange += ["--model-version"] * (version != "champion")
    if strange:
        without = "has nothing to wait for" if bounded else "is for --bounded: the running job writes to its topics"
        raise EugenieError(f"{', '.join(strange)} {without}", "leave it out", ExitCode.USAGE)


def show_replay(console: Console, sent: Replayed, output: Output) -> None:
    if output is Output.json:
        console.json(sent)
        return
    rows = [[f"{sent.messages:,}", sent.start, sent.end, f"{sent.seconds:.1f}"]]
    console.table(["messages", "from", "to", "seconds"], rows, right=("messages", "seconds"))
    _say_rejected(console, sent.rejected)


def say_scored(console: Console, found: Scored) -> None:
    console.say(f"{found.rows:,} rows, {found.scores:,} of them scored; {found.anomalies:,} anomaly records")
    _say_rejected(console, found.rejected)


def _say_rejected(console: Console, rejected: dict[str, int]) -> None:
    if rejected:
        console.say(f"no readings: {', '.join(f'{count:,} {reason}' for reason, count in rejected.items())}")
