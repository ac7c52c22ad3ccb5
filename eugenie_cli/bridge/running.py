"""`eugenie bridge`: from the live side of a source to the site's topic, by way of an outbox."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from eugenie_cli.bridge.outbox import Outbox
from eugenie_cli.bridge.records import records_of
from eugenie_cli.bridge.sender import FOREVER, Sender
from eugenie_cli.bridge.spool import Spool
from eugenie_cli.broker import topics
from eugenie_cli.broker.produce import Producer
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.locks import refusing
from eugenie_cli.progress import Progress
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading
from eugenie_cli.signals import stop_once
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.names import named
from eugenie_cli.site.schema import Site
from eugenie_cli.site.source_bridge import BridgeSettings, show_size
from eugenie_cli.site.source_plugins import live_factory, source_type, source_type_names
from eugenie_cli.site.source_types import SourceSettings
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.live import LiveSource

DRAIN_S = 5.0  # for Kafka to take the last readings; the rest is kept on disk
_KEEP_S = 1.0


@dataclass
class BridgeReport:
    """What became of the readings: `readings` = `delivered` + `waiting` (on disk, for the next run) + `lost`, less
    those that an earlier run had left (`earlier`). `rejected`: counts by reason; `gaps`: what the source says it lacks.
    """

    source: str
    readings: int = 0
    earlier: int = 0
    delivered: int = 0
    stored: int = 0
    waiting: int = 0
    lost: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    seconds: float = 0.0


class _Inbox:
    """The sink of the live side."""

    def __init__(self, outbox: Outbox, say: Callable[[str], None]) -> None:
        self._outbox, self.say = outbox, say
        self._lock = threading.Lock()
        self.readings, self.tally = 0, Tally()

    def put(self, batch: Batch, tally: Tally) -> None:
        records = records_of(batch)
        with self._lock:
            self.tally.add(tally)
            self.readings += len(records)
            self._outbox.put(records)


def run_bridge(
    site: Site, name: str, progress: Progress, seconds: float | None = None, stop: threading.Event | None = None
) -> BridgeReport:
    """Passes live readings on until a signal, until `stop` is set, or for `seconds`.

    Raises EugenieError if the source cannot be used.
    """
    source = named("source", name, {source.name: source for source in site.sources}, site.site)
    _check_reads_records(site)
    live: LiveSource = _live_side(source)(source, site)
    settings = getattr(source, "bridge", BridgeSettings())
    folder = workspace_of(site).bridge / name
    folder.mkdir(parents=True, exist_ok=True)
    report, began = BridgeReport(name), time.monotonic()
    with (
        refusing(folder / "lock", f"another `eugenie bridge {name}` is running", "stop it first"),
        stop_once() as signalled,
    ):
        stop = stop or signalled
        outbox = Outbox(Spool(folder, settings.store), settings.patience / 1_000)
        report.earlier = outbox.readings
        if report.earlier:
            progress.say(f"{report.earlier:,} readings of an earlier run are sent first")
        sender = Sender(outbox, str(site.topics.readings), lambda: _producer(site, progress), progress.say)
        inbox = _Inbox(outbox, progress.say)
        ended = threading.Event()
        keeper = threading.Thread(target=_keep, args=(outbox, settings, progress, ended), daemon=True)
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
        sender.start()
        keeper.start()
        try:
            live.run(inbox, stop)
        finally:
            sender.finish(DRAIN_S)
            ended.set()
            keeper.join()
            report.waiting = outbox.close()
    report.readings, report.delivered = inbox.readings, sender.delivered
    report.stored, report.lost, report.seconds = outbox.stored, outbox.lost, round(time.monotonic() - began, 3)
    report.rejected, report.examples, report.gaps = inbox.tally.rejected, inbox.tally.examples, inbox.tally.gaps
    return report


def _live_side(source: SourceSettings) -> Callable[[SourceSettings, Site], LiveSource]:
    """What makes the live side of a source. Raises EugenieError if its type has none."""
    make: Callable[[SourceSettings, Site], LiveSource] | None = live_factory(source.type)
    if make is None:
        able = [name for name in source_type_names() if source_type(name).live]
        raise EugenieError(
            f"sources of type {source.type} have no live side",
            f"types with one: {', '.join(able)}",
            ExitCode.USAGE,
        )
    return make


def _check_reads_records(site: Site) -> None:
    """Raises EugenieError unless the stream of the site reads the records that a bridge sends."""
    record = b'{"asset":"a","sensor":"s","ts":"2026-01-01T00:00:00.001Z","value":1.5,"quality":"good"}'
    expected = Reading("a", "s", None, 1_767_225_600_001, 1.5, True)
    mapping = site.kafka.readings.model_dump(mode="json")
    read: list[object] = []
    with suppress(ValueError):  # of another format
        read = [*compile_payload(mapping, site.timezone)(record)]
    if read != [expected]:
        raise EugenieError(
            f"`kafka: readings` of {site.file} does not read the records that the bridge sends: {record.decode()}",
            "remove `readings` from `kafka`, or give the bridge a site file of its own",
        )


def _producer(site: Site, progress: Progress) -> Producer:
    topics.ensure(site.kafka_access, progress)
    return Producer(site.kafka_access, delivery_ms=FOREVER)


def _keep(outbox: Outbox, settings: BridgeSettings, progress: Progress, ended: threading.Event) -> None:
    """Store what waits for too long, and say so."""
    kept_up, lost = True, 0
    while not ended.wait(_KEEP_S):
        keeps_up = outbox.keep()
        if kept_up and not keeps_up:
            progress.say(f"Kafka does not take the readings: they are stored in {outbox.spool.folder}")
        elif keeps_up and not kept_up:
            progress.say(f"Kafka has taken all stored readings ({outbox.stored:,} since the start)")
        if outbox.lost > lost:
            full = f"the store is full (`store: {show_size(settings.store)}` of the source's `bridge`)"
            progress.say(f"{full}: {outbox.lost - lost:,} readings were lost")
        kept_up, lost = keeps_up, outbox.lost
