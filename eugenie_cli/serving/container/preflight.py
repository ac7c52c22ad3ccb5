"""Checks the prerequisites of a container. Each missing one raises an EugenieError that says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eugenie_cli.engines.finding import Check
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import server_config
from eugenie_cli.serving.container import docker, files, gpus, image
from eugenie_cli.serving.container.gpus import GpuRequest
from eugenie_cli.serving.container.spec import NOBODY, user
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of

if TYPE_CHECKING:
    from docker import DockerClient

DRIVER = (Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))
"""One of these exists when the NVIDIA driver is loaded; the second one under WSL."""

_NUMBER = re.compile(r"\d+(:\d+)?")
# a GPU's index, or a MIG device as GPU index:device index

_TOOLKIT = "install the NVIDIA Container Toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker, and restart"
_ASK_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Host:
    """The capabilities of an engine and its machine."""

    runtimes: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    cdi: tuple[str, ...] = ()
    """CDI devices, for example `nvidia.com/gpu=0`."""
    hook: bool = False
    """The toolkit's hook is on the path: the engine's `--gpus` then works without the runtime nvidia."""
    driver: bool = False
    listed: str = ""
    """Output of `nvidia-smi -L`; empty without it."""

    @property
    def gives_gpus_by_cdi(self) -> bool:
        """Whether to use CDI: only if the engine provides GPUs in no other way."""
        return "nvidia" not in self.runtimes and not self.hook and bool(self.nvidia_cdi)

    @property
    def nvidia_cdi(self) -> tuple[str, ...]:
        return tuple(name for name in self.cdi if name.startswith(f"{gpus.CDI_KIND}="))


def look(client: DockerClient) -> Host:
    """Query the engine and this machine, on which it runs."""
    return host_of(client.info(), hook=bool(shutil.which("nvidia-container-runtime-hook")), listed=_nvidia_smi())


def host_of(info: Mapping[str, Any], *, hook: bool, listed: str) -> Host:
    """Build a `Host` from the response to `docker info`."""
    return Host(
        runtimes=tuple(sorted(info.get("Runtimes") or {})),
        security=tuple(info.get("SecurityOptions") or ()),
        cdi=tuple(gpus.cdi_devices(info.get("CDISpecDirs") or ())),
        hook=hook,
        driver=bool(listed) or any(path.exists() for path in DRIVER),
        listed=listed,
    )


def check(site: HasServing, host: Host) -> None:
    """Raise EugenieError for the first missing prerequisite of the container. Creates nothing."""
    check_supported(site)
    check_readable(files.models_folder(workspace_of(site)), host)
    request = gpus.request(site.serving.gpus, cdi=host.gives_gpus_by_cdi)
    if request is not None:
        check_gpus(request, host)


def check_supported(site: HasServing) -> None:
    """Raise EugenieError for settings of the site file that this runtime does not support."""
    if site.serving.tls is not None:
        raise EugenieError(
            "serving.tls is not supported with serving.runtime: docker, whose port does not use TLS",
            "remove serving.tls and leave serving.host at 127.0.0.1",
            ExitCode.USAGE,
        )


def check_readable(models: Path, host: Host) -> None:
    """Raise EugenieError unless the server can read the models.

    The server runs as nobody when root starts it, and as another user on an engine that maps users.
    """
    remapped = any("rootless" in option or "userns" in option for option in host.security)
    if not remapped and not user().startswith(f"{NOBODY}:"):
        return
    closed = closed_to_others(models)
    if closed is not None:
        why = "the engine maps users" if remapped else "started by root, the server runs as nobody"
        raise EugenieError(
            f"the server cannot read {closed}: {why}",
            f"chmod -R o+rX {models}",
            ExitCode.REFUSED,
        )


def check_gpus(request: GpuRequest, host: Host) -> None:
    """Raise EugenieError unless the host has a driver, can pass GPUs to a container, and has the requested GPUs."""
    if not host.driver:
        raise EugenieError(
            f"serving.gpus requests {request.words}, but no NVIDIA driver is loaded on this machine",
            "install the driver (nvidia-smi must list the GPU), or set serving.gpus to none",
            ExitCode.REFUSED,
        )
    if request.cdi:
        missing = [name for name in request.ids if name not in host.nvidia_cdi]
        if missing:
            raise EugenieError(
                f"the engine has no CDI device {', '.join(missing)}; it has {', '.join(host.nvidia_cdi)}",
                "correct serving.gpus, or: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
                ExitCode.REFUSED,
            )
        return
    if "nvidia" not in host.runtimes and not host.hook:
        raise EugenieError(
            "the Docker engine cannot pass GPUs to a container: it has neither the runtime nvidia nor CDI devices",
            f"{_TOOLKIT} the engine",
            ExitCode.REFUSED,
        )
    if host.listed:
        check_visible(request, host.listed)


def check_visible(request: GpuRequest, listed: str, *, inside: bool = False) -> None:
    """Compare the request with the output of `nvidia-smi -L` on this machine, or `inside` the container.

    The container renumbers its GPUs, so only their UUIDs and their number can be compared inside.
    """
    ids = [name.removeprefix(f"{gpus.CDI_KIND}=") for name in request.ids if not name.endswith("=all")]
    by_index = [name for name in ids if _NUMBER.fullmatch(name)]
    requested = {name for name in ids if name not in by_index}
    if not inside:
        requested |= {name.partition(":")[0] for name in by_index}
    missing = sorted(requested - gpus.identities(listed))
    number, needed = gpus.count(listed), max(1, request.count, len({name.partition(":")[0] for name in by_index}))
    if not missing and number >= needed:
        return
    where = "the container" if inside else "this machine"
    reason = f"{where} has no GPU {', '.join(missing)}" if missing else f"{where} has {number} of {needed} GPUs"
    raise EugenieError(
        f"serving.gpus requests {request.words}: {reason}",
        "compare with `nvidia-smi -L`, then correct serving.gpus or the NVIDIA Container Toolkit",
        ExitCode.REFUSED,
    )


def closed_to_others(folder: Path) -> Path | None:
    """The first path in `folder` that users other than its owner cannot read; None when they can read everything."""
    for path in [folder, *sorted(folder.rglob("*"))] if folder.exists() else ():
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # locks and exports in progress, which no server reads
        needed = 0o005 if path.is_dir() else 0o004
        if path.stat().st_mode & needed != needed:
            return path
    return None


def findings(site: HasServing) -> list[Check]:
    """The results of all checks, for `eugenie doctor`. Never raises for a failed check; pulls and creates nothing."""
    try:
        check_supported(site)
        client = docker.connect()
        host = look(client)
        version = client.version()["Version"]
    except EugenieError as error:
        return [Check("docker", False, error.reason, error.hint or "")]
    checks = [Check("docker", True, f"engine {version} at {docker.url_of_engine()}")]
    name = server_config.image(site)
    local_image = image.present(client, name)
    detail = f"{name}, {local_image.short_id}" if local_image is not None else f"{name}: `eugenie serve start` pulls it"
    checks.append(Check("image", True, detail))
    try:
        check(site, host)
    except EugenieError as error:
        return [*checks, Check("container", False, error.reason, error.hint or "")]
    return [*checks, Check("container", True, _describe_gpus(site, host))]


def _describe_gpus(site: HasServing, host: Host) -> str:
    request = gpus.request(site.serving.gpus, cdi=host.gives_gpus_by_cdi)
    mechanism = "CDI" if host.gives_gpus_by_cdi else "the runtime nvidia"
    return "no GPUs requested" if request is None else f"{request.words}, through {mechanism}"


def _nvidia_smi() -> str:
    try:
        smi = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return smi.stdout if smi.returncode == 0 else ""
