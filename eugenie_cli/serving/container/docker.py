"""The Docker engine of this machine: reached, or in words why not."""

from __future__ import annotations

import getpass
import grp
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.errors import EugenieError, ExitCode

if TYPE_CHECKING:
    from docker import DockerClient

DEFAULT = "unix:///var/run/docker.sock"

TIMEOUT_S = 120
"""An engine that removes or creates containers on a busy disk takes its time."""


def url_of_engine() -> str:
    """DOCKER_HOST, or the system's engine."""
    return os.environ.get("DOCKER_HOST") or DEFAULT


def connect(url: str | None = None) -> DockerClient:
    """A client of the engine at `url` (default: `url_of_engine`), which has answered.

    Raises EugenieError (UNREACHABLE) that says what keeps it away: not installed, not running, not permitted; USAGE
    for an engine of another machine, which sees neither the models nor the loopback interface of this one.
    """
    import docker
    from docker.errors import DockerException

    url = url or url_of_engine()
    socket_path = _socket_of(url)
    _probe(socket_path)
    try:
        client = docker.DockerClient(base_url=url, timeout=TIMEOUT_S, version="auto")
    except DockerException as error:
        raise EugenieError(
            f"what listens on {socket_path} does not answer as a Docker engine: {error}",
            "see `docker version`; DOCKER_HOST names another engine",
            ExitCode.UNREACHABLE,
        ) from error
    return client


def _socket_of(url: str) -> Path:
    if not url.startswith("unix://"):
        raise EugenieError(
            f"the Docker engine at {url} is on another machine, and the models are on this one",
            "unset DOCKER_HOST, or name a unix socket in it; elsewhere start TensorFlow Serving yourself and name it "
            "in serving.address",
            ExitCode.USAGE,
        )
    return Path(url.removeprefix("unix://"))


def _probe(path: Path) -> None:
    """Connect once, so that the reason is the kernel's own."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5.0)
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            raise _not_there(path) from None
        except PermissionError:
            raise _not_permitted(path) from None
        except OSError as error:
            raise EugenieError(
                f"the Docker engine does not run: nobody listens on {path} ({error.strerror or error})",
                "start it: sudo systemctl start docker",
                ExitCode.UNREACHABLE,
            ) from None


def _not_there(path: Path) -> EugenieError:
    if shutil.which("dockerd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
        return EugenieError(
            f"no Docker engine is installed: there is no {path}, and no dockerd",
            "install one (Debian, Ubuntu: sudo apt-get install docker.io), or set serving.runtime to local",
            ExitCode.UNREACHABLE,
        )
    return EugenieError(
        f"the Docker engine does not run: there is no {path}",
        "start it: sudo systemctl start docker; one of your own: DOCKER_HOST=unix://$XDG_RUNTIME_DIR/docker.sock",
        ExitCode.UNREACHABLE,
    )


def _not_permitted(path: Path) -> EugenieError:
    try:
        gid = path.stat().st_gid
        group = grp.getgrgid(gid).gr_name
    except OSError:
        group = "docker"
    except KeyError:
        group = str(gid)
    user = getpass.getuser()
    return EugenieError(
        f"{user} may not use the Docker engine: {path} is for root and the group {group}",
        f"sudo usermod --append --groups {group} {user}, then log in again (the group is as mighty as root)",
        ExitCode.UNREACHABLE,
    )
