"""`assets.extra/SHA256SUMS`: what each file of an exported version was, for the servers that load it elsewhere.

The format is that of `sha256sum`: in the version's directory `sha256sum --check assets.extra/SHA256SUMS` says the same
without eugenie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from eugenie_cli.files import sha256

LOCATION = Path("assets.extra") / "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write(directory: Path) -> None:
    """The sums of all files that are in the directory now."""
    lines = [f"{sha256(path)}  {name}\n" for name, path in sorted(_files(directory).items())]
    (directory / LOCATION).parent.mkdir(exist_ok=True)
    (directory / LOCATION).write_text("".join(lines), encoding="utf-8")


def problems(directory: Path) -> list[str]:
    """What is not as it was exported, in words; nothing to say of a version without sums."""
    try:
        text = (directory / LOCATION).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        return [f"{LOCATION} is not text"]
    wanted: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            return [f"{LOCATION}, line {number}: not a line of sha256sum"]
        wanted[match[2]] = match[1]
    files = _files(directory)
    missing = [f"{name} is missing" for name in sorted(wanted.keys() - files.keys())]
    changed = [
        f"{name} is not the file that was exported (its SHA-256 differs)"
        for name in sorted(wanted.keys() & files.keys())
        if sha256(files[name]) != wanted[name]
    ]
    return missing + changed


def _files(directory: Path) -> Mapping[str, Path]:
    found = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    found.pop(LOCATION.as_posix(), None)
    return found
