"""The services behind `eugenie simulate`: historian exports, and the live plant on Kafka."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.broker import topics
from eugenie_cli.broker.produce import Producer
from eugenie_cli.demo.exports import EXPORTS, Exported, export
from eugenie_cli.demo.live import Played, play
from eugenie_cli.demo.messages import Stream, arrivals
from eugenie_cli.demo.plant.faults import KINDS, Fault
from eugenie_cli.demo.plant.plant import MANIFEST, Plant
from eugenie_cli.demo.timeline import LIVE_MS, live_faults, new_plant
from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Advance, Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import shipped

SITE_FILE = "demo-plant.yaml"


@dataclass(frozen=True)
class Simulated:
    """A live run: the plant's span in ISO 8601, the messages sent, and the faults injected."""

    start: str
    end: str
    messages: int
    seconds: float
    faults: tuple[Fault, ...]


def export_history(
    folder: Path, seed: int, days: float, progress: Progress, live_ends_ms: int | None = None
) -> Exported:
    """Writes the exports of a new plant and the site file that imports them into `folder`.

    `live_ends_ms`: when the plant's live part, which follows the history, has ended; None: now.

    Raises EugenieError when the folder contains anything else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise EugenieError(
            f"{folder} is not empty and contains no simulated plant",
            "choose another folder with --output-dir",
            ExitCode.USAGE,
        )
    shutil.rmtree(folder / EXPORTS, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shipped("templates") / SITE_FILE, folder / SITE_FILE)
    return export(new_plant(seed, days, live_ends_ms), folder, progress)


def choose_kinds(text: str | None) -> tuple[str, ...]:
    """Parses `all`, `none`, or a comma-separated list of kinds. Raises EugenieError for an unknown kind."""
    if text is None or text in ("", "none"):
        return ()
    if text == "all":
        return KINDS
    kinds = tuple(part.strip() for part in text.split(","))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise EugenieError(
            f"unknown fault {', '.join(unknown)}",
            f"choose from: {', '.join(KINDS)}, all, none",
            ExitCode.USAGE,
        )
    return kinds


def live_stream(plant: Plant, minutes: float | None, faults: Sequence[Fault], progress: Progress) -> tuple[Stream, int]:
    """The messages of the plant's live part, and its end in ms. `minutes`: plant time; None for the whole part."""
    until = plant.end + (LIVE_MS if minutes is None else int(minutes * 60_000))
    with progress.task("simulating the live plant"):
        return arrivals(plant.seed, plant.live(until, tuple(faults))), until


def simulate_live(
    site: Site,
    folder: Path,
    *,
    speed: float,
    minutes: float | None,
    kinds: tuple[str, ...],
    progress: Progress,
) -> Simulated:
    """Continues the plant of `folder` in the site's readings topic.

    Raises EugenieError when the plant's clock would overtake the real one, or the brokers are unreachable.
    """
    plant = Plant.load(folder)
    faults = live_faults(plant, kinds)
    stream, until = live_stream(plant, minutes, faults, progress)
    _keep_behind_the_clock(until, speed, (until - plant.end) / speed)
    topics.ensure(site.kafka_access, progress)
    with Producer(site.kafka_access) as producer, progress.task("sending", len(stream), "readings") as advance:
        played = _play(stream, producer, str(site.topics.readings), plant, speed, advance)
    return Simulated(iso(plant.end), iso(until), played.messages, round(played.seconds, 1), faults)


def _play(stream: Stream, producer: Producer, topic: str, plant: Plant, speed: float, advance: Advance) -> Played:
    before = 0

    def count(_plant_now_ms: int, sent: int) -> None:
        nonlocal before
        advance(sent - before)
        before = sent

    return play(stream, producer, topic, start_ms=plant.end, speed=speed, on_turn=count)


def _keep_behind_the_clock(until_ms: int, speed: float, plays_ms: float) -> None:
    ahead_ms = until_ms - (time.time() * 1_000 + plays_ms)
    if ahead_ms > 0:
        raise EugenieError(
            f"at speed {speed:g} the plant would end {ahead_ms / 60_000:.0f} minutes ahead of the clock",
            "use fewer --minutes or a lower --speed, or export a new history",
            ExitCode.USAGE,
        )
