"""A file to replay: JSON lines of payloads as they were sent, or CSV by the mapping of one of the site's sources."""

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
from eugenie_cli.streaming.encoder import router
from eugenie_cli.streaming.recordings import Chosen, KeyedMessage, Recording, Stretch

BATCH_READINGS = 200_000
CSV_SUFFIXES = (".csv", ".gz")
NEVER = -1
"""The instant of a message that says none, before any that does."""

Reader = Callable[[bytes], list[Any]]
"""A message -> its readings, and what is none."""


@dataclass(frozen=True)
class FileHistory:
    """A file's readings, and how many of its records are none, by reason."""

    history: History
    rejected: Counter[str]


def is_csv(file: Path) -> bool:
    """By its name; all else is JSON lines."""
    return file.suffix.lower() in CSV_SUFFIXES


@contextmanager
def history_of_file(site: Site, file: Path, source: str | None, progress: Progress = SILENT) -> Iterator[FileHistory]:
    """A file's readings as a history that lasts as long as the block. `source`: see `replay.replay`.

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
    """A file of payloads, a line each, as they are: ordered by the instants that the site's mapping finds in them.

    One that says no instant goes with the line before it. Takes 20 bytes of memory a line. Raises EugenieError.
    """
    lines = _index(_reader(site), router(site), file, chosen)
    if not len(lines.ts):
        return Recording(None, None, lambda: iter(()))
    told = lines.ts[lines.ts > NEVER]

    def stretches() -> Iterator[Stretch]:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:

            def message(index: int) -> KeyedMessage:
                start = int(lines.start[index])
                return lines.keys[lines.key[index]], content[start : start + int(lines.length[index])]

            yield Stretch(lines.ts, message)

    if not len(told):
        return Recording(None, None, stretches)
    return Recording(int(told[0]), int(told[-1]), stretches)


@dataclass(frozen=True)
class _Lines:
    """Lines of a file in time order: instant, place and length in bytes, and the asset that keys the message."""

    ts: np.ndarray
    start: np.ndarray
    length: np.ndarray
    key: np.ndarray
    keys: Sequence[str | None]


def _index(read: Reader, routes: Router, file: Path, chosen: Chosen) -> _Lines:
    keys: dict[str | None, int] = {None: 0}
    ts, start, length, key = array("q"), array("q"), array("i"), array("i")
    at, now = 0, NEVER
    for line in _open(file):
        payload = line.rstrip(b"\r\n")
        if payload.strip():
            reading = next((one for one in read(payload) if isinstance(one, Reading)), None)
            route = None if reading is None else routes.route(reading.asset, reading.sensor, reading.tag)
            now = now if reading is None else reading.ts
            asset = None if route is None else route[0]
            if _is_chosen(chosen, now, asset):
                ts.append(now)
                start.append(at)
                length.append(len(payload))
                key.append(keys.setdefault(asset, len(keys)))
        at += len(line)
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
    sources = {one.name: one for one in site.sources if one.type == "csv"}
    if source is None and len(sources) != 1:
        known = ", ".join(sources) or "none of type csv"
        raise EugenieError(
            f"which source of the site file describes {file.name}? It has {known}",
            "name one: --source NAME",
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
            f"{site.file}: kafka.readings.format is {mapping['format']}: a file of lines holds JSON",
            "replay the history, or a CSV file of one of the site's sources",
            ExitCode.REFUSED,
        )
    return compile_payload(mapping, site.timezone)


def _open(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as stream:
            yield from stream
    except OSError as error:
        raise EugenieError(f"{file} cannot be read: {error.strerror}", "name another file", ExitCode.USAGE) from None
