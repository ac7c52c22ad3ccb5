"""Replays readings into the readings topic in time order: a rehearsal of the stream, or a backfill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import numpy as np

from eugenie_cli.broker import topics
from eugenie_cli.broker.produce import Producer
from eugenie_cli.engines import endpoints
from eugenie_cli.engines.flink_rest import FlinkRest, state_of
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT, Advance, Progress
from eugenie_cli.site.field_types import localize, parse_instant, to_ms
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.job import running_job
from eugenie_cli.streaming.metrics import fetch, read_metrics
from eugenie_cli.streaming.recorded_files import history_of_file, is_csv, of_json_lines
from eugenie_cli.streaming.recordings import Chosen, Recording, Stretch, of_history

TURN_S = 0.05
"""How often due messages are sent; well below the out-of-orderness of a watermark."""

AT_ONCE = 10_000
"""Messages sent between two updates of the progress bar at full speed."""


@dataclass(frozen=True)
class Replayed:
    """What was sent. `start`, `end`: the first and last instant, ISO 8601; None when nothing was sent."""

    messages: int
    start: str | None
    end: str | None
    seconds: float
    rejected: dict[str, int] = field(default_factory=dict)
    """Records of a CSV file that are not readings, by reason."""


def choose(
    site: Site,
    assets: Sequence[str] = (),
    class_names: Sequence[str] = (),
    start: str | None = None,
    end: str | None = None,
) -> Chosen:
    """Parse the options of a replay. Raises EugenieError (USAGE) for unknown names and invalid instants."""
    for name in assets:
        site.asset_named(name)
    for name in class_names:
        site.class_named(name)
    named = [*assets, *(asset for name in class_names for asset in site.assets_of(name))]
    start_ms, end_ms = _instant(site, "--from", start), _instant(site, "--to", end)
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise EugenieError(f"--to {end} is not after --from {start}", "swap them", ExitCode.USAGE)
    return Chosen(tuple(dict.fromkeys(named)) or tuple(site.assets), start_ms, end_ms)


def replay(
    site: Site,
    chosen: Chosen,
    *,
    speed: float | None = None,
    force: bool = False,
    progress: Progress = SILENT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Replayed:
    """Send history, or a file, to the readings topic.

    `speed`: plant seconds per second; None: as fast as Kafka accepts them. Raises EugenieError when Kafka does not
    answer or the mapping cannot carry a reading; and, unless `force`, when a running job has passed the first instant
    and would reject readings as late (REFUSED).
    """
    began = clock()
    with _recording(site, chosen, progress) as recording:
        if not force:
            _refuse_late(site, recording)
        topics.ensure(site.kafka_access, progress)
        span = 0.0 if recording.start_ms is None else ((recording.end_ms or 0) - recording.start_ms) / 1000
        with (
            Producer(site.kafka_access) as producer,
            progress.task("replaying", total=span, unit="s of the plant") as advance,
        ):
            _send(site, recording, producer, speed, advance, clock, sleep)
    return Replayed(
        messages=producer.delivered,
        start=None if recording.start_ms is None else iso(recording.start_ms),
        end=None if recording.end_ms is None else iso(recording.end_ms),
        seconds=round(clock() - began, 1),
        rejected=dict(recording.rejected),
    )


@contextmanager
def _recording(site: Site, chosen: Chosen, progress: Progress) -> Iterator[Recording]:
    file = chosen.file
    if file is None:
        yield of_history(site, open_history(site), chosen)
    elif is_csv(file):
        with history_of_file(site, file, chosen.source, progress) as read:
            yield replace(of_history(site, read.history, chosen), rejected=read.rejected)
    else:
        yield of_json_lines(site, file, chosen)


def _refuse_late(site: Site, recording: Recording) -> None:
    try:
        rest = FlinkRest(endpoints.flink(site))
        job_id = running_job(rest, site.site)
    except EugenieError:  # no Flink, so no job whose event time could be ahead
        return
    job = rest.job(job_id) if job_id is not None else None
    if job is None or recording.start_ms is None:
        return
    if state_of(job) == "RUNNING":
        fetch(rest, job["jid"])  # before the first request Flink has no figures of a job, or old ones
    event_time = read_metrics(rest, job).watermark_ms
    if event_time is not None and recording.start_ms < event_time:
        raise EugenieError(
            f"the running job has completed every row up to {iso(event_time)}, and the replay begins at"
            f" {iso(recording.start_ms)}: earlier readings would become dead letters, late",
            "`eugenie stream replay --bounded` scores them without the job; a site file with its own topics keeps them"
            " apart; --force sends them anyway",
            ExitCode.REFUSED,
        )


def _send(
    site: Site,
    recording: Recording,
    producer: Producer,
    speed: float | None,
    advance: Advance,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    topic, begin, began = str(site.topics.readings), recording.start_ms or 0, clock()
    shown = begin
    for stretch in recording.stretches():
        sent = 0
        while sent < len(stretch.ts):
            due = _due(stretch, sent, None if speed is None else begin + int((clock() - began) * 1000 * speed))
            for index in range(sent, due):
                key, payload = stretch.message(index)
                producer.send(topic, key, payload)
            if due > sent:
                reached = max(int(stretch.ts[due - 1]), shown)
                advance((reached - shown) / 1000)
                shown, sent = reached, due
            else:
                sleep(TURN_S)


def _due(stretch: Stretch, sent: int, now: int | None) -> int:
    """The index after the last message that is due at plant time `now`."""
    due = len(stretch.ts) if now is None else int(np.searchsorted(stretch.ts, now, side="right"))
    return min(max(due, sent), sent + AT_ONCE)


def _instant(site: Site, option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return to_ms(localize(parse_instant(text), ZoneInfo(site.timezone)))
    except ValueError as error:
        raise EugenieError(f"{option}: {error}", "write it as 2026-01-03T06:00:00Z", ExitCode.USAGE) from error
