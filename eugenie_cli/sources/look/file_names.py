"""What the names of files say: of which asset or tag each is, beside a date or a number."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from eugenie_cli.sources.files.archives import is_archive
from eugenie_cli.sources.files.compression import compression_of, without_compression

_DATE = re.compile(
    r"(?:19|20)\d{2}[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?(?:0[1-9]|[12]\d|3[01]))?(?:[-_.T]?\d{2}[-_.h]?\d{2}(?:[-_.]?\d{2})?)?"
    r"|(?:0[1-9]|[12]\d|3[01])[-_.](?:0[1-9]|1[0-2])[-_.](?:19|20)\d{2}"
)
_COUNTED = re.compile(r"0\d{2,}|\d{3,}")
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")


def stem_of(path: Path) -> str:
    """The name of a file without its suffixes, as `{stem}` has it."""
    return without_compression(path).stem


def pattern_of(paths: Sequence[Path], part: str) -> tuple[str, dict[Path, str]]:
    """(a pattern over the files' names, file -> what it finds there). `part`: asset or tag.

    `{stem}` if each name is one as a whole; `{asset}_{*}` if dates follow, `{*}_{asset}` if they precede; `{parent}` if
    assets have folders.
    """
    stems = {path: stem_of(path) for path in paths}
    parents = {path: path.parent.name for path in paths}
    if part == "asset" and len({path.parent for path in paths}) > 1 and not are_periods(parents.values()):
        return "{parent}", parents
    dated = {path: match for path, stem in stems.items() if (match := _DATE.search(stem))}
    if len(dated) == len(stems):
        before = {path: stems[path][: match.start()] for path, match in dated.items()}
        after = {path: stems[path][match.end() :] for path, match in dated.items()}
        for texts, pattern in ((before, "{{{0}}}{1}{{*}}"), (after, "{{*}}{1}{{{0}}}")):
            ends = {text[-1:] if texts is before else text[:1] for text in texts.values()}
            found = {path: text.strip("_-. ") for path, text in texts.items()}
            if len(ends) == 1 and ends <= {"_", "-", ".", " "} and all(found.values()):
                return pattern.format(part, next(iter(ends))), found
    return "{stem}", stems


def are_periods(names: Iterable[str]) -> bool:
    """Whether names are dates, or numbers with leading zeros, perhaps behind a word that all begin with."""
    given = sorted(set(names))
    rests = [name[len(_common(given).rstrip("0123456789-_.")) :].strip("_-. ") for name in given]
    return all(_DATE.fullmatch(rest) or _COUNTED.fullmatch(rest) for rest in rests)


def path_pattern(paths: Sequence[Path], others: Sequence[Path], base: Path) -> str | None:
    """A pattern that matches the files and none of the others; relative to `base` if they are below it. None if there
    is none.
    """
    if len(paths) == 1:
        return glob.escape(shown(paths[0], base))
    folders = {path.parent for path in paths}
    if len(folders) != 1:
        return _over_folders(paths, others, base)
    folder, names = next(iter(folders)), [path.name for path in paths]
    suffix = _common([name[::-1] for name in names])[::-1]
    dotted = suffix[suffix.find(".") :] if "." in suffix else suffix
    prefix = _common(names)
    taken = {other.name for other in others if other.parent == folder}
    for pattern in (f"*{dotted}", f"{prefix}*{dotted}", f"*{suffix}", f"{prefix}*{suffix}"):
        fits = pattern != "*" and all(_matches(name, pattern) for name in names)
        if fits and not any(_matches(name, pattern) for name in taken):
            return f"{glob.escape(shown(folder, base))}/{pattern}" if shown(folder, base) != "." else pattern
    return None


def _over_folders(paths: Sequence[Path], others: Sequence[Path], base: Path) -> str | None:
    """A pattern over folders that are side by side, one for each machine or day: exports/*/*.csv."""
    around = {path.parent.parent for path in paths}
    suffixes = {without_compression(path).suffix for path in paths}
    if len(around) != 1 or len(suffixes) != 1 or any(is_archive(path.parent) for path in paths):
        return None
    folder, suffix = next(iter(around)), next(iter(suffixes))
    compressed = {path.suffix if compression_of(path) else "" for path in paths}
    more = compressed.pop() if len(compressed) == 1 else ""
    if any(other.parent.parent == folder and other.name.endswith(f"{suffix}{more}") for other in others):
        return None
    before = "" if (inside := shown(folder, base)) == "." else f"{glob.escape(inside)}/"
    return f"{before}*/*{suffix}{more}"


def unseen(paths: Sequence[Path], pattern: str, base: Path) -> list[str]:
    """Files that the pattern matches, and that were not looked at."""
    folder, name = (base / pattern).parent, Path(pattern).name
    if "*" in folder.name:
        known_paths = {path.resolve() for path in paths}
        return sorted(p.name for p in folder.parent.glob(f"*/{name}") if p.resolve() not in known_paths)
    if "*" not in name or is_archive(folder) or not folder.is_dir():
        return []
    known = {path.name for path in paths}
    return sorted(p.name for p in folder.iterdir() if _matches(p.name, name) and p.name not in known and p.is_file())


def shown(path: Path, base: Path) -> str:
    """A path as the site file has it: relative to `base` if it is below it."""
    absolute = path if path.is_absolute() else Path.cwd() / path
    try:
        return absolute.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        return absolute.as_posix()


def _common(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    count = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:count]


def _matches(name: str, pattern: str) -> bool:
    before, _, after = pattern.partition("*")
    long_enough = len(name) >= len(before) + len(after)
    return long_enough and name.startswith(before) and name.endswith(after) and not any(c in "[?" for c in pattern)
