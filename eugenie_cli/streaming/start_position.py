"""Where a job begins: `--start-at`, and the newest state that the last job left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.field_types import localize, parse_instant, to_ms

AUTO, SAVEPOINT, LATEST, EARLIEST, TIMESTAMP = "auto", "savepoint", "latest", "earliest", "timestamp"
WORDS = (AUTO, SAVEPOINT, LATEST, EARLIEST)

CHECKPOINT, GROUP_OFFSETS = "checkpoint", "group offsets"

SAVEPOINT_DIR = "execution.checkpointing.savepoint-dir"

LOOPBACK = ("127.0.0.1", "localhost", "::1")

METADATA = "_metadata"
MAGIC = (0x4960672D).to_bytes(4, "big")
"""The first bytes of the metadata of a savepoint or checkpoint. Flink writes this file last."""


@dataclass(frozen=True)
class Start:
    """The requested start. `kind` is one of the words above; `ms`: the instant of `timestamp`, since 1970 UTC."""

    kind: str
    ms: int | None = None
    path: str | None = None
    """The path of a savepoint or checkpoint given by the user."""

    @property
    def starts_over(self) -> bool:
        """Whether it needs nothing that the last job left."""
        return self.kind in (EARLIEST, LATEST, TIMESTAMP)


@dataclass(frozen=True)
class Snapshot:
    """State that a job can resume from. `kind`: savepoint or checkpoint; `path`: as Flink expects it, usually a URI."""

    kind: str
    path: str


def parse_start(timezone: str, text: str, path: str | None = None) -> Start:
    """Parse `--start-at` and `--from-savepoint`. Local times are in `timezone`.

    Raises EugenieError (USAGE) for text that is neither a word nor an instant, or when the two options conflict.
    """
    if path is not None:
        if text not in (AUTO, SAVEPOINT):
            raise EugenieError(
                f"--start-at {text} and --from-savepoint are mutually exclusive", "leave one out", ExitCode.USAGE
            )
        return Start(SAVEPOINT, path=path)
    if text in WORDS:
        return Start(text)
    try:
        return Start(TIMESTAMP, to_ms(localize(parse_instant(text), ZoneInfo(timezone))))
    except ValueError as error:
        words = ", ".join(WORDS)
        raise EugenieError(f"--start-at {text}: {error}", f"use {words} or an instant", ExitCode.USAGE) from None


def named(rest: FlinkRest, path: str) -> Snapshot:
    """A savepoint or checkpoint by its path or URI. Raises EugenieError (REFUSED) if incomplete on this machine."""
    uri = _uri(path)
    kind = CHECKPOINT if uri.rstrip("/").rpartition("/")[2].startswith("chk-") else SAVEPOINT
    if _complete(rest, uri) is False:
        raise EugenieError(
            f"{path} is not a complete savepoint or checkpoint",
            "choose another with --from-savepoint; --start-at latest or earliest starts without one",
            ExitCode.REFUSED,
        )
    return Snapshot(kind, path if path.startswith("file:") else uri)


def newest(rest: FlinkRest, last: JobRecord | None) -> Snapshot | None:
    """The newest state of the last job: the savepoint of its stop, its last checkpoint, or the state it resumed from.

    None when it left nothing or was drained: then the stream starts over. Raises EugenieError when the state in the
    record no longer exists: starting with empty state would be an unrequested loss.
    """
    if last is None or last.drained:
        return None
    if last.savepoint is not None:
        return named(rest, last.savepoint)
    left = left_by(rest, last)
    if left:
        return max(left, key=lambda entry: entry[0])[1]
    # a job that ended before its first checkpoint has left no state of its own
    return named(rest, last.resumed_from) if last.resumed_from is not None else None


def state(rest: FlinkRest, last: JobRecord | None, requested: Start) -> Snapshot | None:
    """The state to resume from: the one given by the user, or the newest.

    Raises EugenieError (REFUSED) when a state is required and none is found.
    """
    snapshot = named(rest, requested.path) if requested.path is not None else newest(rest, last)
    if snapshot is None and requested.kind == SAVEPOINT:
        raise EugenieError(
            "no savepoint or checkpoint of the last job was found",
            "choose one with --from-savepoint, or leave out --start-at",
            ExitCode.REFUSED,
        )
    return snapshot


def left_by(rest: FlinkRest, last: JobRecord) -> list[tuple[int, Snapshot]]:
    """The snapshots of a job that can be found, each with the instant (ms) of its completion."""
    return [*_known_to_flink(rest, last.job_id), *_on_disk(rest, last)]


def local(rest: FlinkRest, snapshot: Snapshot) -> Path | None:
    """The folder of a snapshot if it is on this machine, else None."""
    return _local(rest, _uri(snapshot.path))


def _known_to_flink(rest: FlinkRest, job_id: str) -> list[tuple[int, Snapshot]]:
    """The job's snapshots according to a cluster that still knows it, each with the instant (ms) of its completion."""
    if rest.job(job_id) is None:
        return []
    latest: dict[str, Any] = rest.checkpoints(job_id).get("latest") or {}
    snapshots = []
    for kind, entry in ((SAVEPOINT, latest.get("savepoint")), (CHECKPOINT, latest.get("completed"))):
        path = (entry or {}).get("external_path") or ""
        # a cluster that keeps checkpoints in memory returns `<checkpoint-not-externally-addressable>`
        if entry and ":/" in path and not entry.get("discarded") and _complete(rest, _uri(path)) is not False:
            snapshots.append((int(entry["latest_ack_timestamp"]), Snapshot(kind, path)))
    return snapshots


def _on_disk(rest: FlinkRest, last: JobRecord) -> list[tuple[int, Snapshot]]:
    """The last complete checkpoint of a job that its cluster has forgotten, and its unrecorded savepoints.

    A process that stops a job may be killed before Flink answers. A savepoint's folder name contains the job's id.
    """
    snapshots = []
    folder = _local(rest, _uri(last.checkpoints)) if last.checkpoints is not None else None
    if folder is not None:
        complete = [path for path in (folder / last.job_id).glob("chk-*") if _complete(rest, path.as_uri())]
        latest = max(complete, key=lambda path: int(path.name.removeprefix("chk-")), default=None)
        snapshots += [(CHECKPOINT, latest)] if latest is not None else []
    folder = _local(rest, _uri(last.savepoints)) if last.savepoints is not None else None
    if folder is not None:
        of_job = folder.glob(f"savepoint-{last.job_id[:6]}-*")
        snapshots += [(SAVEPOINT, path) for path in of_job if _complete(rest, path.as_uri())]
    return [(int((path / METADATA).stat().st_mtime * 1000), Snapshot(kind, path.as_uri())) for kind, path in snapshots]


def _complete(rest: FlinkRest, uri: str) -> bool | None:
    """Whether a snapshot is complete; None when only Flink can reach its storage."""
    folder = _local(rest, uri)
    if folder is None:
        return None
    try:
        with (folder / METADATA).open("rb") as metadata:
            return metadata.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _local(rest: FlinkRest, uri: str) -> Path | None:
    """The local folder of a `file:` URI, if Flink runs on this machine; else None."""
    parts = urlsplit(uri)
    is_local = urlsplit(rest.address).hostname in LOOPBACK
    return Path(unquote(parts.path)) if parts.scheme == "file" and is_local else None


def _uri(path: str) -> str:
    if path.startswith("file:/") and not path.startswith("file://"):
        return "file://" + path.removeprefix("file:")
    return path if "://" in path else Path(path).absolute().as_uri()
