"""A test's own Docker engine: on a private socket, with all its data in one folder, removed afterwards.

If `dockerd` is not installed, Debian's packages are downloaded and unpacked into that folder; nothing is installed on
the machine. The engine needs root; `Unavailable` says what is missing.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.debian_packages import Unavailable, last_line, unpack

ANSWERS_WITHIN_S = 120
DRIVERS = ("overlay2", "vfs")
"""The second driver copies every layer and works on every file system."""

TRACES = ("/etc/docker/key.json", "/etc/docker", "/opt/containerd", "/run/containerd", "/run/docker")
"""Paths that dockerd creates outside its folders, whatever its options."""

_PROGRAMS = ("dockerd", "containerd", "runc")


@contextmanager
def docker_engine(folder: Path) -> Iterator[str]:
    """Start an engine and yield its URL. Raises Unavailable."""
    if os.geteuid() != 0:
        raise Unavailable("a test's own Docker engine needs root")
    if shutil.which("ip") is None:
        raise Unavailable("iproute2 is not installed: the engine's bridge cannot be created")
    env = _environment(folder)
    reasons = []
    with _without_traces(), _bridge() as (bridge, group):
        for driver in DRIVERS:
            home = folder / driver
            home.mkdir()
            with _daemon(home, env, driver, bridge, group) as url:
                if url is not None:
                    yield url
                    return
            reasons.append(f"{driver}: {last_line((home / 'dockerd.log').read_text(errors='replace'))}")
    raise Unavailable(f"dockerd does not start here ({'; '.join(reasons)})")


@contextmanager
def _without_traces() -> Iterator[None]:
    """Remove those of TRACES that did not exist before and are still empty."""
    new = [Path(trace) for trace in TRACES if not Path(trace).exists()]
    try:
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):
                path.unlink() if path.is_file() else _remove_empty(path)


def _remove_empty(folder: Path) -> None:
    for inner in folder.iterdir():
        _remove_empty(inner)
    folder.rmdir()


def _environment(folder: Path) -> Mapping[str, str]:
    """Environment variables with which dockerd finds its programs."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    env = {**os.environ, "PATH": path}
    if all(shutil.which(program, path=path) for program in _PROGRAMS):
        return env
    root = folder / "packages"
    unpack(root, "docker.io")
    libraries = ":".join(map(str, (root / "usr/lib").glob("*-linux-gnu")))
    return {**env, "PATH": f"{root}/usr/bin:{root}/usr/sbin:{path}", "LD_LIBRARY_PATH": libraries}


@contextmanager
def _bridge() -> Iterator[tuple[str, str]]:
    """A bridge with its own free network, and a name for control groups."""
    name = f"eug{os.getpid() % 10**6}{random.randrange(1000)}"
    networks = subprocess.run(["ip", "-o", "route"], capture_output=True, text=True, check=True).stdout
    free = [
        net for net in ipaddress.ip_network("10.213.0.0/16").subnets(new_prefix=24) if str(net)[:-4] not in networks
    ]
    address = f"{random.choice(free)[1]}/24"
    created = subprocess.run(["ip", "link", "add", name, "type", "bridge"], capture_output=True, text=True, check=False)
    if created.returncode != 0:
        raise Unavailable(f"cannot create a bridge: {created.stderr.strip()}")
    group = f"/{name}"
    try:
        for command in (["ip", "addr", "add", address, "dev", name], ["ip", "link", "set", name, "up"]):
            subprocess.run(command, check=True)
        yield name, group
    finally:
        subprocess.run(["ip", "link", "del", name], check=False)
        for left in [Path(f"/sys/fs/cgroup{group}"), *Path("/sys/fs/cgroup").glob(f"*{group}")]:
            for inner in [*left.glob("*/"), left] if left.exists() else ():
                with contextlib.suppress(OSError):
                    inner.rmdir()


@contextmanager
def _daemon(home: Path, env: Mapping[str, str], driver: str, bridge: str, group: str) -> Iterator[str | None]:
    """Start the daemon and yield its URL; None if it exited before it answered."""
    socket, config = home / "docker.sock", home / "daemon.json"
    config.write_text("{}")
    # leave packet filters alone: the engine's proxy forwards published ports on loopback
    command = [
        "dockerd", "--config-file", config, "--host", f"unix://{socket}", "--storage-driver", driver,
        "--data-root", home / "data", "--exec-root", home / "exec", "--pidfile", home / "dockerd.pid",
        "--bridge", bridge, "--cgroup-parent", group,
        "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
    ]  # fmt: skip
    with (home / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(list(map(str, command)), env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"unix://{socket}" if _answers(daemon, socket) else None
    finally:
        daemon.terminate()
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _answers(daemon: subprocess.Popen[bytes], socket: Path) -> bool:
    import docker

    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while daemon.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(docker.errors.DockerException):
            client = docker.DockerClient(base_url=f"unix://{socket}")
            client.ping()
            client.close()
            return True
        time.sleep(0.2)
    return False
