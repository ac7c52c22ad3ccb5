"""What must be so before a container is made. Each thing that lacks is an EugenieError that says what to do."""

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
"""One of them is there when the NVIDIA driver is loaded; the second within Windows' Linux."""

_NUMBER = re.compile(r"\d+(:\d+)?")
# a GPU by its index, or a MIG device by the GPU's index and its own

_TOOLKIT = "install the NVIDIA Container Toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker, and restart"
_ASK_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Host:
    """What an engine and its machine have."""

    runtimes: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    cdi: tuple[str, ...] = ()
    """CDI devices, `nvidia.com/gpu=0`."""
    hook: bool = False
    """The toolkit's hook is on the path: the engine's own `--gpus` works by it, with no runtime of that name."""
    driver: bool = False
    listed: str = ""
    """What `nvidia-smi -L` says, empty without it."""

    @property
    def gives_gpus_by_cdi(self) -> bool:
        """CDI is the way where there is no other."""
        return "nvidia" not in self.runtimes and not self.hook and bool(self.nvidia_cdi)

    @property
    def nvidia_cdi(self) -> tuple[str, ...]:
        return tuple(name for name in self.cdi if name.startswith(f"{gpus.CDI_KIND}="))


def look(client: DockerClient) -> Host:
    """Ask the engine, and look at this machine, which is its."""
    return host_of(client.info(), hook=bool(shutil.which("nvidia-container-runtime-hook")), listed=_nvidia_smi())


def host_of(info: Mapping[str, Any], *, hook: bool, listed: str) -> Host:
    """What the answer to `docker info` says."""
    return Host(
        runtimes=tuple(sorted(info.get("Runtimes") or {})),
        security=tuple(info.get("SecurityOptions") or ()),
        cdi=tuple(gpus.cdi_devices(info.get("CDISpecDirs") or ())),
        hook=hook,
        driver=bool(listed) or any(path.exists() for path in DRIVER),
        listed=listed,
    )


def check(site: HasServing, host: Host) -> None:
    """Raise EugenieError for the first thing that keeps the container from working. Nothing is made."""
    check_supported(site)
    check_readable(files.models_folder(workspace_of(site)), host)
    request = gpus.request(site.serving.gpus, cdi=host.gives_gpus_by_cdi)
    if request is not None:
        check_gpus(request, host)


def check_supported(site: HasServing) -> None:
    """What the site file asks for and this runtime does not do."""
    if site.serving.tls is not None:
        raise EugenieError(
            "serving.tls is not for serving.runtime: docker, whose port would be without it",
            "leave serving.tls out and serving.host at 127.0.0.1",
            ExitCode.USAGE,
        )


def check_readable(models: Path, host: Host) -> None:
    """The server runs as nobody when root starts it, and as a stranger on an engine with users of its own."""
    remapped = any("rootless" in each or "userns" in each for each in host.security)
    if not remapped and not user().startswith(f"{NOBODY}:"):
        return
    closed = closed_to_others(models)
    if closed is not None:
        why = "the engine maps users" if remapped else "the server of root runs as nobody"
        raise EugenieError(
            f"the server could not read {closed}: {why}",
            f"chmod -R o+rX {models}",
            ExitCode.REFUSED,
        )


def check_gpus(request: GpuRequest, host: Host) -> None:
    """A driver, a way to give a container its devices, and as many GPUs as are asked for."""
    if not host.driver:
        raise EugenieError(
            f"serving.gpus asks for {request.words}, and this machine has no NVIDIA driver loaded",
            "install the driver (nvidia-smi must list the GPU), or set serving.gpus to none",
            ExitCode.REFUSED,
        )
    if request.cdi:
        lacking = [name for name in request.ids if name not in host.nvidia_cdi]
        if lacking:
            raise EugenieError(
                f"the engine knows no CDI device {', '.join(lacking)}; it has {', '.join(host.nvidia_cdi)}",
                "correct serving.gpus, or: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
                ExitCode.REFUSED,
            )
        return
    if "nvidia" not in host.runtimes and not host.hook:
        raise EugenieError(
            "the Docker engine can give a container no GPU: it has neither the runtime nvidia nor CDI devices",
            f"{_TOOLKIT} the engine",
            ExitCode.REFUSED,
        )
    if host.listed:
        check_visible(request, host.listed)


def check_visible(request: GpuRequest, listed: str, *, inside: bool = False) -> None:
    """Compare what is asked for with what `nvidia-smi -L` lists on this machine, or `inside` the container.

    Inside, the GPUs that it was given are numbered anew: there only UUIDs and how many they are can be compared.
    """
    ids = [each.removeprefix(f"{gpus.CDI_KIND}=") for each in request.ids if not each.endswith("=all")]
    by_number = [each for each in ids if _NUMBER.fullmatch(each)]
    wanted = {each for each in ids if each not in by_number}
    if not inside:
        wanted |= {each.partition(":")[0] for each in by_number}
    lacking = sorted(wanted - gpus.identities(listed))
    number, needed = gpus.count(listed), max(1, request.count, len({each.partition(":")[0] for each in by_number}))
    if not lacking and number >= needed:
        return
    where = "the container" if inside else "this machine"
    reason = f"{where} shows no GPU {', '.join(lacking)}" if lacking else f"{where} shows {number} of {needed} GPUs"
    raise EugenieError(
        f"serving.gpus asks for {request.words}: {reason}",
        "compare with `nvidia-smi -L`, then correct serving.gpus or the NVIDIA Container Toolkit",
        ExitCode.REFUSED,
    )


def closed_to_others(folder: Path) -> Path | None:
    """The first thing in `folder` that users other than its owner cannot read; None when they can read all."""
    for path in [folder, *sorted(folder.rglob("*"))] if folder.exists() else ():
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # locks, and exports that are being written: no server looks at them
        needed = 0o005 if path.is_dir() else 0o004
        if path.stat().st_mode & needed != needed:
            return path
    return None


def findings(site: HasServing) -> list[Check]:
    """All of it for `eugenie doctor`. Never raises for what it finds; pulls and makes nothing."""
    try:
        check_supported(site)
        client = docker.connect()
        host = look(client)
        version = client.version()["Version"]
    except EugenieError as error:
        return [Check("docker", False, error.reason, error.hint or "")]
    found = [Check("docker", True, f"engine {version} at {docker.url_of_engine()}")]
    name = server_config.image(site)
    there = image.present(client, name)
    words = f"{name}, {there.short_id}" if there is not None else f"{name}: `eugenie serve start` pulls it"
    found.append(Check("image", True, words))
    try:
        check(site, host)
    except EugenieError as error:
        return [*found, Check("container", False, error.reason, error.hint or "")]
    return [*found, Check("container", True, _words(site, host))]


def _words(site: HasServing, host: Host) -> str:
    request = gpus.request(site.serving.gpus, cdi=host.gives_gpus_by_cdi)
    way = "CDI" if host.gives_gpus_by_cdi else "the runtime nvidia"
    return "no GPU asked for" if request is None else f"{request.words}, by {way}"


def _nvidia_smi() -> str:
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
