"""Connects to the Docker engine of this machine, or explains why it cannot."""

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
"""Creating or removing containers on a busy disk can be slow."""


def url_of_engine() -> str:
    """The URL in DOCKER_HOST, or that of the system's engine."""
    return os.environ.get("DOCKER_HOST") or DEFAULT


def connect(url: str | None = None) -> DockerClient:
    """Connect to the engine at `url` (default: `url_of_engine`), and return a client once the engine has answered.

    Raises EugenieError: UNREACHABLE when the engine is not installed, not running or not permitted; USAGE for an engine
    on another machine, which can access neither the models nor the loopback interface of this one.
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
            f"the program that listens on {socket_path} does not answer as a Docker engine: {error}",
            "see `docker version`, or set DOCKER_HOST to another engine",
            ExitCode.UNREACHABLE,
        ) from error
    return client


def _socket_of(url: str) -> Path:
    if not url.startswith("unix://"):
        raise EugenieError(
            f"the Docker engine at {url} is on another machine, but the models are on this one",
            "unset DOCKER_HOST or set it to a unix socket; to serve on another machine, start TensorFlow Serving there "
            "and set serving.address",
            ExitCode.USAGE,
        )
    return Path(url.removeprefix("unix://"))


def _probe(path: Path) -> None:
    """Connect to the socket once, to report the kernel's error. Raises EugenieError."""
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
                f"the Docker engine is not running: nothing listens on {path} ({error.strerror or error})",
                "start it: sudo systemctl start docker",
                ExitCode.UNREACHABLE,
            ) from None


def _not_there(path: Path) -> EugenieError:
    if shutil.which("dockerd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
        return EugenieError(
            f"no Docker engine is installed: neither {path} nor dockerd exists",
            "install one (Debian, Ubuntu: sudo apt-get install docker.io), or set serving.runtime to local",
            ExitCode.UNREACHABLE,
        )
    return EugenieError(
        f"the Docker engine is not running: {path} does not exist",
        "start it: sudo systemctl start docker; for a rootless engine: DOCKER_HOST=unix://$XDG_RUNTIME_DIR/docker.sock",
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
        f"{user} may not use the Docker engine: {path} is accessible only to root and the group {group}",
        f"sudo usermod --append --groups {group} {user}, then log in again (the group is as powerful as root)",
        ExitCode.UNREACHABLE,
    )
