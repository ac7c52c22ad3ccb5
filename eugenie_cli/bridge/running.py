"""`eugenie bridge`: from the live side of a source to the site's topic, by way of an outbox."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from eugenie_cli.bridge.inbox import Inbox
from eugenie_cli.bridge.outbox import Outbox
from eugenie_cli.bridge.sender import FOREVER, Sender
from eugenie_cli.bridge.spool import Spool
from eugenie_cli.broker import topics
from eugenie_cli.broker.produce import Producer
from eugenie_cli.errors import EugenieError, ExitCode
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
from eugenie_cli.sources.live import LiveSource

DRAIN_S = 5.0  # for Kafka to take the last readings; the rest is kept on disk
_KEEP_S = 1.0
_BEHIND_S = 2.0  # a shorter delay of Kafka is not worth a message


@dataclass
class BridgeReport:
    """What became of the readings: `earlier` (left on disk by another run) + `readings` = `delivered` + `waiting` (on
    disk, for the next run) + `returned` (neither sent nor stored: the source sends them again) + `lost`.

    `records`: from which they came; `rejected`: counts by reason; `gaps`: what the source says it lacks; `unknown`:
    tags that the source has, but no asset of the site.
    """

    source: str
    records: int = 0
    readings: int = 0
    earlier: int = 0
    delivered: int = 0
    stored: int = 0
    waiting: int = 0
    returned: int = 0
    lost: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    seconds: float = 0.0


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
        waits = bool(getattr(live, "waits", False))
        outbox = Outbox(Spool(folder, settings.store), settings.patience / 1_000, waits=waits)
        report.earlier = outbox.readings
        if report.earlier:
            progress.say(f"{report.earlier:,} readings of an earlier run are sent first")
        sender = Sender(outbox, str(site.topics.readings), lambda: _producer(site, progress), progress.say)
        inbox = Inbox(outbox, folder, progress.say)
        ended = threading.Event()
        keeper = threading.Thread(target=_keep, args=(inbox, settings, progress, ended), daemon=True)
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
            report.waiting, report.returned = outbox.close()
            inbox.write_down()
    report.records, report.readings, report.delivered = inbox.tally.records, inbox.readings, sender.delivered
    report.stored, report.lost, report.seconds = outbox.stored, outbox.lost, round(time.monotonic() - began, 3)
    report.rejected, report.examples, report.gaps = inbox.tally.rejected, inbox.tally.examples, inbox.tally.gaps
    report.unknown = inbox.tally.unknown_columns
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


def _keep(inbox: Inbox, settings: BridgeSettings, progress: Progress, ended: threading.Event) -> None:
    """Store what waits for too long, and say so."""
    outbox, lost, full = inbox.outbox, 0, None
    behind_since: float | None = None
    said, written = False, 0.0
    while not ended.wait(min(_KEEP_S, settings.patience / 2_000)):
        now = time.monotonic()
        behind_since = None if outbox.keep() else behind_since or now
        if now - written >= _KEEP_S:
            inbox.write_down()
            written = now
        if behind_since is not None and not said and now - behind_since >= _BEHIND_S:
            progress.say(f"Kafka does not take the readings: they are stored in {outbox.spool.folder}")
            said = True
        elif behind_since is None and said:
            progress.say(f"Kafka has taken all stored readings ({outbox.stored:,} since the start)")
            said = False
        if outbox.full is not None and outbox.full != full:
            instead = "the source keeps them until there is room" if outbox.waits else "they wait in memory"
            progress.say(f"readings cannot be stored in {outbox.spool.folder}: {outbox.full}; {instead}")
        if outbox.lost > lost:
            full_store = f"the store is full (`store: {show_size(settings.store)}` of the source's `bridge`)"
            what = full_store if outbox.full is None else f"{outbox.spool.folder}: {outbox.full}"
            progress.say(f"{what}: {outbox.lost - lost:,} readings were lost")
        full, lost = outbox.full, outbox.lost
