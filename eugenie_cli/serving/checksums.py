"""`assets.extra/SHA256SUMS`: the SHA-256 sum of each file of an exported version, for servers on other machines.

The format is that of `sha256sum`: `sha256sum --check assets.extra/SHA256SUMS` in the version's directory performs the
same check without eugenie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.files import sha256

LOCATION = Path("assets.extra") / "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write(directory: Path) -> None:
    """Write the sums of all files in the directory."""
    lines = [f"{sha256(path)}  {name}\n" for name, path in sorted(_files(directory).items())]
    (directory / LOCATION).parent.mkdir(exist_ok=True)
    (directory / LOCATION).write_text("".join(lines), encoding="utf-8")


def problems(directory: Path) -> list[str]:
    """A phrase for each file that differs from the export; none for a version without sums."""
    try:
        text = (directory / LOCATION).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        return [f"{LOCATION} is not text"]
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            return [f"{LOCATION}, line {number}: not a line of sha256sum"]
        sums[match[2]] = match[1]
    files = _files(directory)
    missing = [f"{name} is missing" for name in sorted(sums.keys() - files.keys())]
    changed = [
        f"{name} has changed since the export (its SHA-256 differs)"
        for name in sorted(sums.keys() & files.keys())
        if sha256(files[name]) != sums[name]
    ]
    return missing + changed


def _files(directory: Path) -> Mapping[str, Path]:
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    files.pop(LOCATION.as_posix(), None)
    return files
