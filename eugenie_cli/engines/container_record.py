"""The record of the serving container, in the run folder: its address is known without a query to the Docker engine."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from eugenie_cli.files import write_atomically
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class ContainerRecord:
    """The container that serves the site's models. `rest`: `host:port`, empty when it is not published."""

    container: str
    name: str
    colour: str
    address: str
    rest: str
    engine: str
    """The Docker engine's URL, so that the container is found even if DOCKER_HOST changes."""


def file_of(workspace: Workspace) -> Path:
    """The file of the record."""
    return workspace.run / "serving-container.json"


def read(workspace: Workspace) -> ContainerRecord | None:
    """The record; None when no container was started, or it has been stopped since."""
    try:
        return ContainerRecord(**json.loads(file_of(workspace).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, TypeError):
        return None


def write(workspace: Workspace, record: ContainerRecord) -> None:
    """Makes this the serving container."""
    write_atomically(file_of(workspace), json.dumps(asdict(record), indent=2) + "\n")


def remove(workspace: Workspace) -> None:
    """Removes the record: no container serves."""
    file_of(workspace).unlink(missing_ok=True)
