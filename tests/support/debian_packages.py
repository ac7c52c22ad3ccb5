"""Unpacks packages of Debian, or of another distribution with apt, into a test's folder; nothing is installed.

They are the newest packages of the machine's own apt sources, whatever its release.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

FETCHED_WITHIN_S = 300


class Unavailable(Exception):
    """Why a program is not available here."""


def unpack(root: Path, package: str) -> None:
    """Fetch a package and its dependencies that this machine lacks into a folder. Raises Unavailable."""
    fetched = root.with_name(f"{root.name}-fetched")
    archives = _fetch(fetched, (package,))
    root.mkdir()
    for archive in archives:
        subprocess.run(["dpkg", "-x", archive, root], check=True)
    shutil.rmtree(fetched)


def fetch_closure(folder: Path, *packages: str) -> list[Path]:
    """Fetch packages with all their dependencies, whatever this machine has; returns archives. Raises Unavailable.

    Packages that Debian takes for granted on every machine (`Essential`) are fetched only if another package depends on
    them, or if they are named.
    """
    status = folder / "status"
    folder.mkdir()
    status.touch()  # like a machine on which nothing is installed
    return _fetch(folder / "archives", packages, "-o", f"Dir::State::status={status}")


def _fetch(folder: Path, packages: tuple[str, ...], *more: str) -> list[Path]:
    names = ", ".join(packages)
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Unavailable(f"{names} not available: no apt-get to fetch it with")
    (folder / "partial").mkdir(parents=True)
    options = ["-q", "-y", "--no-install-recommends", "--download-only", "-o", f"Dir::Cache::archives={folder}", *more]
    fetch = ["apt-get", "install", *options, *packages]
    if _run(fetch) != "":
        _run(["apt-get", "-q", "update"])
        output = _run(fetch)
        if output != "":
            raise Unavailable(f"{names} not available: apt-get cannot fetch it: {last_line(output)}")
    return sorted(folder.glob("*.deb"))


def last_line(output: str) -> str:
    """The last line of a program's output."""
    return (output.strip().splitlines() or ["no output"])[-1]


def _run(command: list[str]) -> str:
    """Empty if the command succeeds, otherwise its output."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=FETCHED_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{command[0]} takes more than {FETCHED_WITHIN_S} s"
    return "" if done.returncode == 0 else done.stderr or done.stdout or f"exit code {done.returncode}"
