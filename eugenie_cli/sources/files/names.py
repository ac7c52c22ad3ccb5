"""Names of assets, sensors and tags in the names of files, by a pattern: `{asset}_{*}` finds pump-1 in
`pump-1_2026-01.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable

CAPTURED = ("asset", "sensor", "tag")
"""The parts of a mapping that a pattern may find in a file's name."""
_ANY = re.compile(r"\{\*\}|\*")


def bind_captures(mapping: Mapping[str, Any], file: PurePath, known: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The mapping with its patterns that contain `{asset}`, `{sensor}` or `{tag}` replaced by what they find in the
    name of `file` (without its suffix; with its folders, if the pattern contains a slash).

    `known`: part -> the site's names. One that is known is preferred to one that is not, so an asset's name may contain
    the text between parts. Raises EugenieError if the pattern does not match, or finds several known names.
    """
    bound = dict(mapping)
    for part in CAPTURED:
        given: Mapping[str, Any] = bound.get(part) or {}
        pattern = given.get("file")
        if pattern and f"{{{part}}}" in pattern:
            bound[part] = {**given, "file": None, "const": _found(part, pattern, file, known.get(part, ()))}
    return bound


def _found(part: str, pattern: str, file: PurePath, known: Collection[str]) -> str:
    name, spans = spans_of(part, pattern, file, pattern.count("/"))
    texts = {name[start:end] for start, end in spans if "/" not in name[start:end]}
    found = sorted(texts, key=lambda text: (len(text), text))
    where = printable(str(file))
    if not found:
        raise EugenieError(
            f"{where}: its name does not match the pattern {pattern!r} of `{part}`",
            hint=f"correct `readings: {{{part}: {{file: ...}}}}`, or narrow the source's `path`",
        )
    matches = [text for text in found if text in known]
    if len(matches) > 1:
        raise EugenieError(
            f"{where}: by the pattern {pattern!r}, its {part} may be {' or '.join(map(repr, matches[:3]))}",
            hint=f"write a pattern of `{part}` that finds only one of them",
        )
    return matches[0] if matches else found[0]


def spans_of(part: str, pattern: str, file: PurePath, folders: int) -> tuple[str, list[tuple[int, int]]]:
    """(the name of a file with some of its folders, the places in it that may be `{part}` of a pattern)."""
    name = "/".join([*file.parent.parts[-folders:], file.stem] if folders else [file.stem])
    before, after = map(_text, pattern.split(f"{{{part}}}", 1))
    starts = [at for at in range(len(name)) if before.fullmatch(name, 0, at)]
    ends = [at for at in range(1, len(name) + 1) if after.fullmatch(name, at)]
    return name, [(start, end) for start in starts for end in ends if start < end]


def _text(pattern: str) -> re.Pattern[str]:
    """A pattern without captures as a regular expression."""
    return re.compile("[^/]*".join(map(re.escape, _ANY.split(pattern))))
