"""The instance id of a workspace: keeps its jobs apart from those of other workspaces that run the same site.

Kafka fences a producer when another one begins with its transactional id, and a consumer group has one set of offsets.
If a colleague tried a site from another workspace under the plant's names, the plant's job would fail. So the names of
transactions and of the group contain an id of the workspace: this machine's name, so that a colleague can be found, and
random digits.
"""

from __future__ import annotations

import json
import re
import socket
import uuid
from pathlib import Path

from eugenie_cli.engines import job_record
from eugenie_cli.files import write_atomically
from eugenie_cli.workspace import Workspace

DIGITS = 8
"""Hex digits of an id: enough to tell the workspaces of a site on one machine apart."""

HOST = 24
"""Characters of the machine's name at most: brokers limit the length of transactional ids."""

FIRST = ""
"""The id of workspaces from before there were ids. Their transactions and offsets keep the names without one."""


def of(workspace: Workspace) -> str:
    """The workspace's id; `FIRST` while it has none."""
    return _read(workspace).get("id", FIRST)


def ensure(workspace: Workspace) -> str:
    """The workspace's id, made and stored at the first call.

    A workspace whose jobs ran without an id stays without one: their state may hold transactions of the former name. A
    copy of a workspace that still exists gets an id of its own.
    """
    root, stored = workspace.root.absolute(), _read(workspace)
    if "id" in stored and not _is_copy(root, stored):
        return stored["id"]
    identity = _random() if "id" in stored or job_record.load(workspace) is None else FIRST
    write_atomically(_file(workspace.root), json.dumps({"id": identity, "workspace": str(root)}) + "\n")
    return identity


def _random() -> str:
    host = re.sub("[^A-Za-z0-9]+", "-", socket.gethostname().partition(".")[0])[:HOST].strip("-")
    return "-".join(filter(None, (host, uuid.uuid4().hex[:DIGITS])))


def _is_copy(root: Path, stored: dict[str, str]) -> bool:
    original = Path(stored.get("workspace", root))
    return original != root and _content(_file(original)) == stored


def _read(workspace: Workspace) -> dict[str, str]:
    return _content(_file(workspace.root))


def _content(file: Path) -> dict[str, str]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return {key: str(value) for key, value in content.items()}


def _file(root: Path) -> Path:
    return Workspace(root).run / "instance.json"
