"""GPUs: what the site file asks for, how an engine is asked, and what is seen of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eugenie_cli.serving.status import GpuUse

ENVIRONMENT: Mapping[str, str] = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
"""`utility` is nvidia-smi, which tells what the server uses."""

CDI_KIND = "nvidia.com/gpu"

QUERY = "index,uuid,name,memory.used,memory.total,utilization.gpu"
"""Fields of nvidia-smi, in the order of `GpuUse`."""


@dataclass(frozen=True)
class GpuRequest:
    """`ids`: of these GPUs (or CDI devices). `count`: so many, -1 all; 0 with ids."""

    count: int = 0
    ids: tuple[str, ...] = ()
    cdi: bool = False

    @property
    def words(self) -> str:
        """For messages: `all GPUs`, `2 GPUs`, `GPU 0, GPU-5e...`."""
        if self.ids:
            return f"GPU {', '.join(self.ids)}"
        return "all GPUs" if self.count < 0 else f"{self.count} GPU{'s' if self.count > 1 else ''}"


def request(asked: str | int | Sequence[str], *, cdi: bool = False) -> GpuRequest | None:
    """`serving.gpus` as a request; None for none. With CDI every GPU is a device of its own name."""
    if asked == "none":
        return None
    if isinstance(asked, str):
        return GpuRequest(ids=(f"{CDI_KIND}=all",), cdi=True) if cdi else GpuRequest(count=-1)
    if isinstance(asked, int):
        wanted: Iterable[str] = (str(index) for index in range(asked))
        return GpuRequest(ids=_devices(wanted), cdi=True) if cdi else GpuRequest(count=asked)
    return GpuRequest(ids=_devices(asked), cdi=True) if cdi else GpuRequest(ids=tuple(asked))


def cdi_devices(folders: Iterable[str]) -> list[str]:
    """The devices that CDI specifications in these folders describe, as `nvidia.com/gpu=0`; other files are passed."""
    found: set[str] = set()
    for folder in map(Path, folders):
        for file in sorted([*folder.glob("*.json"), *folder.glob("*.yaml")]) if folder.is_dir() else ():
            document = _document(file)
            kind, devices = document.get("kind"), document.get("devices")
            if isinstance(kind, str) and isinstance(devices, list):
                found.update(f"{kind}={each.get('name')}" for each in devices if isinstance(each, dict))
    return sorted(found)


def use(said: str) -> list[GpuUse]:
    """What `nvidia-smi --query-gpu=QUERY --format=csv,noheader,nounits` printed."""
    found = []
    for row in csv.reader(said.splitlines(), skipinitialspace=True):
        if len(row) == len(QUERY.split(",")):
            index, uuid, name, used, total, busy = (cell.strip() for cell in row)
            found.append(GpuUse(int(index), uuid, name, _number(used), _number(total), _number(busy)))
    return found


def identities(said: str) -> set[str]:
    """The GPUs and MIG devices that `nvidia-smi -L` printed, by index and UUID."""
    found: set[str] = set()
    for line in said.splitlines():
        head, _, tail = line.strip().partition("(UUID: ")
        if not tail:
            continue
        found.add(tail.rstrip(")"))
        if head.startswith("GPU "):
            found.add(head.removeprefix("GPU ").partition(":")[0])
    return found


def count(said: str) -> int:
    """The GPUs among what `nvidia-smi -L` printed."""
    return sum(line.startswith("GPU ") for line in said.splitlines())


def _devices(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{CDI_KIND}={each}" for each in ids)


def _document(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _number(cell: str) -> int | None:
    try:
        return round(float(cell))
    except ValueError:  # [N/A], [Not Supported]
        return None
