"""Files inside zip archives. Such a file has the path `exports/a.zip/pump-1.csv`, as if the archive were a folder."""

from __future__ import annotations

import fnmatch
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO, cast

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable

_UNREADABLE = (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError)
"""What zipfile raises for a damaged archive, odd names, an unknown method, and encryption."""
_WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")


def is_archive(path: PurePath) -> bool:
    """Whether a file's name says that it is a zip archive."""
    return path.suffix.lower() == ".zip"


def inside(path: Path | str) -> tuple[Path, str] | None:
    """(the archive, the file in it) of a path into an archive; None for another path."""
    if ".zip" not in str(path).lower():  # nearly all paths, and `parents` is slow for thousands of files
        return None
    for archive in Path(path).parents:
        if is_archive(archive) and archive.is_file():
            return archive, Path(path).relative_to(archive).as_posix()
    return None


def without_archives(path: PurePath) -> PurePath:
    """A path into an archive, with the archives' names as those of folders: `a.zip/b.csv` -> `a/b.csv`."""
    folders = [PurePath(part).stem if is_archive(PurePath(part)) else part for part in path.parts[:-1]]
    return PurePath(*folders, path.name)


def split_pattern(pattern: Path) -> tuple[Path, str | None]:
    """(the pattern of archives, the pattern of files in them), divided below `.zip`; None: no pattern of files in them.

    `exports/*.zip/*.csv` -> `exports/*.zip` and `*.csv`.
    """
    for number, part in enumerate(pattern.parts[:-1], 1):
        if is_archive(PurePath(part)):
            return Path(*pattern.parts[:number]), "/".join(pattern.parts[number:])
    return pattern, None


def members(archive: Path, pattern: str | None) -> dict[Path, dict[str, int]] | None:
    """The files of an archive that match a pattern (None: all of them), sorted, each with what changes when its content
    does. None if the archive cannot be read, or is none: a workbook.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            infos = {info.filename: info for info in opened.infolist() if not info.is_dir()}
    except (OSError, *_UNREADABLE):
        return None
    if any(name in _WORKBOOKS for name in infos):
        return None
    chosen = [name for name in infos if not _is_hidden(name) and (pattern is None or _matches(name, pattern))]
    return {archive / name: {"crc": infos[name].CRC, "member_size": infos[name].file_size} for name in sorted(chosen)}


def _is_hidden(name: str) -> bool:
    """Whether a file was added by the system that made the archive."""
    parts = PurePath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts) or parts[-1] in ("Thumbs.db",)


def _matches(name: str, pattern: str) -> bool:
    """As in a folder: `**` matches any number of folders, and `*` no slash."""
    return _parts_match(PurePath(name).parts, PurePath(pattern).parts)


def _parts_match(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_parts_match(parts[skipped:], patterns[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


@contextmanager
def member_opened(archive: Path, member: str) -> Iterator[BinaryIO]:
    """The content of a file in an archive. Raises EugenieError, also within the block, if it cannot be read."""
    where = printable(str(archive / member))
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as file:
            yield cast(BinaryIO, file)
    except KeyError as error:
        raise EugenieError(f"{where} is gone from its archive", hint="import again when it is complete") from error
    except NotImplementedError as error:
        raise EugenieError(f"{where} cannot be unpacked: {error}", hint="unpack the archive") from error
    except RuntimeError as error:
        if "encrypted" not in str(error):
            raise
        raise EugenieError(f"{where} is encrypted", hint="unpack the archive with its password") from error
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise EugenieError(
            f"{where} is damaged: {printable(str(error), 200)}",
            hint="copy or export the archive again; nothing of it is imported",
        ) from error
