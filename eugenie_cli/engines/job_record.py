"""The record of a site's stream job between commands: where it runs, its specification and how it ended."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from eugenie_cli.files import write_atomically
from eugenie_cli.locks import exclusive
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class JobRecord:
    """The last job of a site. It contains no secrets."""

    job_id: str
    flink: str
    savepoint: str | None = None
    """The savepoint with which the job was stopped."""
    drained: bool = False
    """The stream was drained, or is about to be, so nothing can be resumed."""
    resumed_from: str | None = None
    """The savepoint or checkpoint from which the job started."""
    checkpoints: str | None = None
    """URI of the folder in which its cluster keeps `<job id>/chk-N`."""
    shape: dict[str, Any] = field(default_factory=dict)
    """The job's specification (`streaming.spec_diff.shape_of`). Empty if unknown."""
    savepoints: str | None = None
    """URI of the folder in which its cluster keeps `savepoint-<six digits of the job id>-...`."""
    topic: str | None = None
    """Kafka's id of the readings topic at submission; a recreated topic of the same name has a different id."""
    offsets: dict[str, int] = field(default_factory=dict)
    """Partition -> offset at which the job began to read, as far as known, or at which a drained job ended."""
    made_until: dict[str, int] = field(default_factory=dict)
    """Asset -> ms up to which a drained job completed rows. The next job does not repeat them."""
    accepted: bool = True
    """Flink accepted the job. False: the request was in progress when `submit` was interrupted."""
    stopped: bool = False
    """`stop` ended the job without a savepoint: the next one resumes from its last checkpoint."""
    failed_at_start: int = 0
    """Attempts of checkpoints that Flink counts as failed because tasks were starting."""
    before: dict[str, Any] | None = None
    """While the job is not accepted: the previous record, which counts if the job never ran."""

    @property
    def resumes_at(self) -> dict[int, int]:
        """`offsets` by partition number."""
        return {int(number): offset for number, offset in self.offsets.items()}

    @property
    def ended_on_purpose(self) -> bool:
        """Whether the job was stopped, in whichever way. Nobody but the user starts it again."""
        return self.savepoint is not None or self.drained or self.stopped

    def predecessor(self) -> JobRecord | None:
        """The previous record of a job that is not accepted."""
        return None if self.before is None else _of(self.before)


def changing(workspace: Workspace) -> AbstractContextManager[None]:
    """The lock for submitting or stopping the job: two commands would resume from one state and share one package."""
    return exclusive(workspace.run / ".stream.lock")


def load(workspace: Workspace) -> JobRecord | None:
    """The record of the last job; None before the first."""
    file = workspace.run / "stream.json"
    if not file.exists():
        return None
    return _of(json.loads(file.read_text("utf-8")))


def save(workspace: Workspace, record: JobRecord) -> None:
    """Replaces the record."""
    write_atomically(workspace.run / "stream.json", json.dumps(asdict(record), indent=2) + "\n")


def restore(workspace: Workspace, record: JobRecord | None) -> None:
    """Restores an earlier record; None removes the record."""
    if record is not None:
        save(workspace, record)
    else:
        (workspace.run / "stream.json").unlink(missing_ok=True)


def _of(document: dict[str, Any]) -> JobRecord:
    """Reads a record of this or another release; unknown keys are ignored."""
    known = {item.name for item in fields(JobRecord)}
    return JobRecord(**{key: value for key, value in document.items() if key in known})
