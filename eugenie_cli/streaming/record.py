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
    """The specification that it runs by (`changes.shape_of`). Empty: not known."""


def changing(workspace: Workspace) -> AbstractContextManager[None]:
    """Held by whoever submits or stops the job: two would go on from one state, and share one package."""
    return alone(workspace.run / ".stream.lock")


def load(workspace: Workspace) -> JobRecord | None:
    """The last job, or None before the first."""
    file = workspace.run / "stream.json"
    if not file.exists():
        return None
    known = {one.name for one in fields(JobRecord)}
    return JobRecord(**{key: value for key, value in json.loads(file.read_text("utf-8")).items() if key in known})


def save(workspace: Workspace, record: JobRecord) -> None:
    """Replace the record."""
    write_atomically(workspace.run / "stream.json", json.dumps(asdict(record), indent=2) + "\n")
