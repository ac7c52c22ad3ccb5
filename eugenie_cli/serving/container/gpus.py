"""GPUs: the site file's request, its form for an engine, and the output of nvidia-smi."""

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
"""`utility` provides nvidia-smi, which reports what the server uses."""

CDI_KIND = "nvidia.com/gpu"

QUERY = "index,uuid,name,memory.used,memory.total,utilization.gpu"
"""Fields queried from nvidia-smi, in the order of `GpuUse`."""


@dataclass(frozen=True)
class GpuRequest:
    """A request for GPUs. `ids`: specific GPUs or CDI devices. `count`: number of GPUs, -1 for all; 0 with ids."""

    count: int = 0
    ids: tuple[str, ...] = ()
    cdi: bool = False

    @property
    def words(self) -> str:
        """For messages: `all GPUs`, `2 GPUs`, `GPU 0, GPU-5e...`."""
        if self.ids:
            return f"GPU {', '.join(self.ids)}"
        return "all GPUs" if self.count < 0 else f"{self.count} GPU{'s' if self.count > 1 else ''}"


def request(setting: str | int | Sequence[str], *, cdi: bool = False) -> GpuRequest | None:
    """`serving.gpus` as a request; None for no GPUs. With CDI, every GPU is a named device."""
    if setting == "none":
        return None
    if isinstance(setting, str):
        return GpuRequest(ids=(f"{CDI_KIND}=all",), cdi=True) if cdi else GpuRequest(count=-1)
    if isinstance(setting, int):
        indices: Iterable[str] = (str(index) for index in range(setting))
        return GpuRequest(ids=_devices(indices), cdi=True) if cdi else GpuRequest(count=setting)
    return GpuRequest(ids=_devices(setting), cdi=True) if cdi else GpuRequest(ids=tuple(setting))


def cdi_devices(folders: Iterable[str]) -> list[str]:
    """The devices in the CDI specifications in these folders, as `nvidia.com/gpu=0`; other files are ignored."""
    names: set[str] = set()
    for folder in map(Path, folders):
        for file in sorted([*folder.glob("*.json"), *folder.glob("*.yaml")]) if folder.is_dir() else ():
            document = _document(file)
            kind, devices = document.get("kind"), document.get("devices")
            if isinstance(kind, str) and isinstance(devices, list):
                names.update(f"{kind}={device.get('name')}" for device in devices if isinstance(device, dict))
    return sorted(names)


def use(output: str) -> list[GpuUse]:
    """Parse the output of `nvidia-smi --query-gpu=QUERY --format=csv,noheader,nounits`."""
    uses = []
    for row in csv.reader(output.splitlines(), skipinitialspace=True):
        if len(row) == len(QUERY.split(",")):
            index, uuid, name, used, total, busy = (cell.strip() for cell in row)
            uses.append(GpuUse(int(index), uuid, name, _number(used), _number(total), _number(busy)))
    return uses


def identities(output: str) -> set[str]:
    """The indices of GPUs and the UUIDs of GPUs and MIG devices in the output of `nvidia-smi -L`."""
    names: set[str] = set()
    for line in output.splitlines():
        head, _, tail = line.strip().partition("(UUID: ")
        if not tail:
            continue
        names.add(tail.rstrip(")"))
        if head.startswith("GPU "):
            names.add(head.removeprefix("GPU ").partition(":")[0])
    return names


def count(output: str) -> int:
    """The number of GPUs in the output of `nvidia-smi -L`."""
    return sum(line.startswith("GPU ") for line in output.splitlines())


def _devices(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{CDI_KIND}={name}" for name in ids)


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
