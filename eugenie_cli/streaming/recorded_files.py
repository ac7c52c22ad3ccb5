"""Files to replay: JSON lines with payloads as sent, or CSV read by the mapping of one of the site's sources."""

from __future__ import annotations

import mmap
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.store import History
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading, Rejected
from eugenie_cli.readings.routing import Router
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.names import named
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import Tally, importer_for
from eugenie_cli.streaming.encoder import refuse_record_parts, router
from eugenie_cli.streaming.recordings import Chosen, KeyedMessage, Recording, Stretch

BATCH_READINGS = 200_000
CSV_SUFFIXES = (".csv", ".gz")
NEVER = -1
"""Instant given to messages at the start of a file that have none: before all other instants."""

Reader = Callable[[bytes], list[Any]]
"""Message -> its readings and rejected records."""


@dataclass(frozen=True)
class FileHistory:
    """A file's readings, and the number of rejected records by reason."""

    history: History
    rejected: Counter[str]


def is_csv(file: Path) -> bool:
    """Whether a file is CSV, by its name; any other file is JSON lines."""
    return file.suffix.lower() in CSV_SUFFIXES


@contextmanager
def history_of_file(site: Site, file: Path, source: str | None, progress: Progress = SILENT) -> Iterator[FileHistory]:
    """A file's readings as a history that exists until the block ends. `source`: as `Chosen.source`.

    Raises EugenieError for a file that cannot be read.
    """
    workspace = workspace_of(site)
    workspace.root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=workspace.root, prefix=".replay-") as folder:
        history, rejected = History(Path(folder)), Counter[str]()
        with progress.task(f"reading {file.name}"):
            read = (
                _csv(site, file, source, rejected)
                if is_csv(file)
                else _json_lines(_reader(site), router(site), file, rejected)
            )
            history.commit("replay", read)
        yield FileHistory(history, rejected)


def of_json_lines(site: Site, file: Path, chosen: Chosen) -> Recording:
    """A file with one payload per line, unchanged, ordered by the instants that the site's mapping finds in them.

    A payload without an instant follows the line before it. Takes 20 bytes of memory per line. Raises EugenieError.
    """
    lines = _index(_reader(site), router(site), file, chosen)
    if not len(lines.ts):
        return Recording(None, None, lambda: iter(()))
    instants = lines.ts[lines.ts > NEVER]

    def stretches() -> Iterator[Stretch]:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:

            def message(index: int) -> KeyedMessage:
                start = int(lines.start[index])
                return lines.keys[lines.key[index]], content[start : start + int(lines.length[index])]

            yield Stretch(lines.ts, message)

    if not len(instants):
        return Recording(None, None, stretches)
    return Recording(int(instants[0]), int(instants[-1]), stretches)


@dataclass(frozen=True)
class _Lines:
    """Lines of a file in time order: instant, byte offset, length in bytes, index of the key (the asset)."""

    ts: np.ndarray
    start: np.ndarray
    length: np.ndarray
    key: np.ndarray
    keys: Sequence[str | None]


def _index(read: Reader, routes: Router, file: Path, chosen: Chosen) -> _Lines:
    keys: dict[str | None, int] = {None: 0}
    ts, start, length, key = array("q"), array("q"), array("i"), array("i")
    position, instant = 0, NEVER
    for line in _open(file):
        payload = line.rstrip(b"\r\n")
        if payload.strip():
            reading = next((outcome for outcome in read(payload) if isinstance(outcome, Reading)), None)
            route = None if reading is None else routes.route(reading.asset, reading.sensor, reading.tag)
            instant = instant if reading is None else reading.ts
            asset = None if route is None else route[0]
            if _is_chosen(chosen, instant, asset):
                ts.append(instant)
                start.append(position)
                length.append(len(payload))
                key.append(keys.setdefault(asset, len(keys)))
        position += len(line)
    instants = np.array(ts, np.int64)
    order = np.argsort(instants, kind="stable")
    starts, lengths, owners = np.array(start, np.int64), np.array(length, np.int32), np.array(key, np.int32)
    return _Lines(instants[order], starts[order], lengths[order], owners[order], list(keys))


def _is_chosen(chosen: Chosen, ts: int, asset: str | None) -> bool:
    if asset is not None and asset not in chosen.assets:
        return False
    early = chosen.start_ms is not None and ts < chosen.start_ms
    return not early and (chosen.end_ms is None or ts < chosen.end_ms)


def _json_lines(read: Reader, routes: Router, file: Path, rejected: Counter[str]) -> Iterator[Batch]:
    waiting: list[tuple[str, str, int, float]] = []
    for line in _open(file):
        for outcome in read(line.rstrip(b"\r\n")) if line.strip() else ():
            if isinstance(outcome, Rejected):
                rejected[outcome.reason] += 1
                continue
            route = routes.route(outcome.asset, outcome.sensor, outcome.tag)
            if route is None:
                rejected[reject_reasons.UNKNOWN_TAG] += 1
                continue
            waiting.append((route[0], routes.sensors_of(route[0])[route[1]], outcome.ts, outcome.value))
        if len(waiting) >= BATCH_READINGS:
            yield Batch.of(waiting)
            waiting = []
    yield Batch.of(waiting)


def _csv(site: Site, file: Path, source: str | None, rejected: Counter[str]) -> Iterator[Batch]:
    sources = {settings.name: settings for settings in site.sources if settings.type == "csv"}
    if source is None and len(sources) != 1:
        known = ", ".join(sources) or "none of type csv"
        raise EugenieError(
            f"cannot tell which source of the site file describes {file.name}; it has: {known}",
            "choose one with --source NAME",
            ExitCode.USAGE,
        )
    chosen = named("source", source, sources, site.site) if source is not None else next(iter(sources.values()))
    importer = importer_for(chosen.model_copy(update={"path": str(file.absolute())}), site)
    for item in importer.items():
        tally = Tally()
        yield from importer.read(item, tally, lambda _: None)
        rejected.update(tally.rejected)


def _reader(site: Site) -> Reader:
    mapping: Mapping[str, Any] = site.kafka.readings.model_dump(mode="json")
    if mapping["format"] != "json":
        raise EugenieError(
            f"{site.file}: kafka.readings.format is {mapping['format']}: a file of lines must hold JSON",
            "replay the history, or a CSV file that one of the site's sources describes",
            ExitCode.REFUSED,
        )
    refuse_record_parts(site, mapping)
    if mapping["value"].get("units"):
        raise EugenieError(
            f"{site.file}: kafka.readings.value.units: a file of messages is replayed without a conversion of units",
            "replay the history",
            ExitCode.REFUSED,
        )
    return compile_payload(mapping, site.timezone)


def _open(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as stream:
            yield from stream
    except OSError as error:
        raise EugenieError(f"{file} cannot be read: {error.strerror}", "choose another file", ExitCode.USAGE) from None
