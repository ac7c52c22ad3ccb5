"""Which container serves, kept in the run folder: an address is found without asking the engine for it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from eugenie_cli.files import write_atomically
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class ContainerRecord:
    """The container that answers for the site. `rest`: `host:port`, empty when it is not published."""

    container: str
    name: str
    colour: str
    address: str
    rest: str
    engine: str
    """The engine's URL, so that the container is found whatever DOCKER_HOST says later."""


def file_of(workspace: Workspace) -> Path:
    """Where it is kept."""
    return workspace.run / "serving-container.json"


def read(workspace: Workspace) -> ContainerRecord | None:
    """None when no container was started, or it was stopped since."""
    try:
        return ContainerRecord(**json.loads(file_of(workspace).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, TypeError):
        return None


def write(workspace: Workspace, record: ContainerRecord) -> None:
    """From now on this one answers."""
    write_atomically(file_of(workspace), json.dumps(asdict(record), indent=2) + "\n")


def remove(workspace: Workspace) -> None:
    """None answers."""
    file_of(workspace).unlink(missing_ok=True)
