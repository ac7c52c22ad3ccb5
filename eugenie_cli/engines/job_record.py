"""What eugenie remembers of a site's stream job between commands: where it runs, how it was specified, how it ended."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from eugenie_cli.files import write_atomically
from eugenie_cli.locks import alone
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class JobRecord:
    """The last job of a site. It holds no secret."""

    job_id: str
    flink: str
    savepoint: str | None = None
    """Where the job was stopped with a savepoint."""
    drained: bool = False
    """The stream was ended, or is about to be: there is nothing to resume from."""
    resumed_from: str | None = None
    """Savepoint or checkpoint that the job began with."""
    checkpoints: str | None = None
    """URI of the folder in which its cluster keeps `<job id>/chk-N`."""
    shape: dict[str, Any] = field(default_factory=dict)
    """The specification that it runs by (`streaming.spec_diff.shape_of`). Empty: not known."""
    savepoints: str | None = None
    """URI of the folder in which its cluster keeps `savepoint-<six digits of the job id>-...`."""
    topic: str | None = None
    """Kafka's id of the readings topic that it was submitted for: another topic of this name has another."""
    offsets: dict[str, int] = field(default_factory=dict)
    """Partition -> offset: where it began to read, as far as that is known; where a drained one ended."""
    made_until: dict[str, int] = field(default_factory=dict)
    """Asset -> ms: up to there a drained job had made rows. The next one makes none of these again."""
    accepted: bool = True
    """Flink has answered. False: the request was under way when `submit` was last heard of."""
    before: dict[str, Any] | None = None
    """While it is not accepted: the record before, which counts when the job never ran."""

    @property
    def resumes_at(self) -> dict[int, int]:
        """`offsets`, by number of the partition."""
        return {int(number): offset for number, offset in self.offsets.items()}

    def predecessor(self) -> JobRecord | None:
        """The record before one that is not accepted."""
        return None if self.before is None else _of(self.before)


def changing(workspace: Workspace) -> AbstractContextManager[None]:
    """Held by whoever submits or stops the job: two would go on from one state, and share one package."""
    return alone(workspace.run / ".stream.lock")


def load(workspace: Workspace) -> JobRecord | None:
    """The last job, or None before the first."""
    file = workspace.run / "stream.json"
    if not file.exists():
        return None
    return _of(json.loads(file.read_text("utf-8")))


def save(workspace: Workspace, record: JobRecord) -> None:
    """Replace the record."""
    write_atomically(workspace.run / "stream.json", json.dumps(asdict(record), indent=2) + "\n")


def restore(workspace: Workspace, record: JobRecord | None) -> None:
    """Put the record back that was there before, or none."""
    if record is not None:
        save(workspace, record)
    else:
        (workspace.run / "stream.json").unlink(missing_ok=True)


def _of(document: dict[str, Any]) -> JobRecord:
    """A record of this version or another: what is not known is passed over."""
    known = {one.name for one in fields(JobRecord)}
    return JobRecord(**{key: value for key, value in document.items() if key in known})
