"""What eugenie remembers of a site's stream job between commands: its id, and the savepoint to resume from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from eugenie_cli.embedded.process import write_atomically
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class JobRecord:
    """The last job of a site. `savepoint` is set once it was stopped with one that can be resumed from."""

    job_id: str
    flink: str
    savepoint: str | None = None


def load(workspace: Workspace) -> JobRecord | None:
    """The last job, or None before the first."""
    file = workspace.run / "stream.json"
    return JobRecord(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def save(workspace: Workspace, record: JobRecord) -> None:
    """Replace the record."""
    write_atomically(workspace.run / "stream.json", json.dumps(asdict(record), indent=2) + "\n")
