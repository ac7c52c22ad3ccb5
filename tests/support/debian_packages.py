"""Packages of Debian (or of another release that has apt) in a folder of a test's own: nothing is installed.

They are the newest ones of the machine's own apt sources, whatever release that is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

FETCHED_WITHIN_S = 300


class Unavailable(Exception):
    """Why there is no such program here."""


def unpack(root: Path, package: str) -> None:
    """Fetch a package, with what it needs and this machine lacks, into a folder. Raises Unavailable."""
    fetched = root.with_name(f"{root.name}-fetched")
    archives = _fetch(fetched, (package,))
    root.mkdir()
    for archive in archives:
        subprocess.run(["dpkg", "-x", archive, root], check=True)
    shutil.rmtree(fetched)


def fetch_closure(folder: Path, *packages: str) -> list[Path]:
    """Fetch packages with all that they need, whatever this machine has: archives. Raises Unavailable.

    What Debian takes for granted on every machine (`Essential`) comes only if somebody depends on it, or by its name.
    """
    status = folder / "status"
    folder.mkdir()
    status.touch()  # of a machine on which nothing is installed
    return _fetch(folder / "archives", packages, "-o", f"Dir::State::status={status}")


def _fetch(folder: Path, packages: tuple[str, ...], *more: str) -> list[Path]:
    names = ", ".join(packages)
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Unavailable(f"{names} cannot be had: there is no apt-get to fetch it with")
    (folder / "partial").mkdir(parents=True)
    options = ["-q", "-y", "--no-install-recommends", "--download-only", "-o", f"Dir::Cache::archives={folder}", *more]
    fetch = ["apt-get", "install", *options, *packages]
    if _run(fetch) != "":
        _run(["apt-get", "-q", "update"])
        said = _run(fetch)
        if said != "":
            raise Unavailable(f"{names} cannot be had: apt-get cannot fetch it: {last_line(said)}")
    return sorted(folder.glob("*.deb"))


def last_line(said: str) -> str:
    """The last thing that a program said."""
    return (said.strip().splitlines() or ["it says nothing"])[-1]


def _run(command: list[str]) -> str:
    """Nothing when it succeeds, else what it said."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=FETCHED_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{command[0]} takes more than {FETCHED_WITHIN_S} s"
    return "" if done.returncode == 0 else done.stderr or done.stdout or f"exit code {done.returncode}"
