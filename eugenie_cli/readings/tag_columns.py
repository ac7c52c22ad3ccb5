"""Wide records in which a tag has columns of its own for its value, its instant and its quality.

They are found by their names (`{tag}_VALUE`, `{tag}_TIMESTAMP`, `{tag}_QUALITY`) or by their places: columns repeat in
groups, such as an instant and a value for each tag, or a tag and a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from eugenie_cli.readings.members import paths_of

TAG = "{tag}"
UNNAMED = re.compile(r"^column \d+$")
"""What a column without a name in the header is called."""
GENERIC = re.compile(
    r"^(?:t|ts|time|timestamp|date|date[ /_-]?time|zeit|zeitstempel|datum|horodatage|fecha|data|zaman|tarih|x|x.?value"
    r"|value|val|wert|valeur|valor|y|y.?value|quality|status|qualit(?:y|ät|é))(?: \d+)?$",
    re.IGNORECASE,
)
"""Names that say what a column is, and not of which tag."""
_SECOND = re.compile(r" \d+$")
REMEMBERED = 1_000
"""Layouts kept in memory: a file has one, a gateway few."""


class Measurement(NamedTuple):
    """The columns of one tag in a record; None for what the tag has no column of."""

    value: str
    name: str | None = None
    """The tag; None if the column `tag` contains it."""
    tag: str | None = None
    ts: str | None = None
    quality: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(column for column in (self.tag, self.ts, self.value, self.quality) if column is not None)


class TagColumns:
    """Assigns the columns of wide records to tags. `mapping`: with or without `columns`."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        columns = mapping.get("columns") or {}
        self.is_plain = not columns
        """Whether a column is a tag and nothing else."""
        self._other = frozenset(mapping.get("ignore") or ())
        self._repeat = tuple(columns.get("repeat") or ())
        self._value = columns.get("value") or TAG
        self._companions = {kind: columns[kind] for kind in ("ts", "quality") if columns.get(kind)}
        self._optional = frozenset(columns.get("optional") or ())
        own = {*self._companions, *self._repeat} - self._optional
        shared = [part for part in ("ts", "asset", "quality") if part not in own]
        self.shared = frozenset(path for part in shared for path in paths_of(mapping.get(part)))
        """The columns of the parts that all tags of a record share."""
        self.of = lru_cache(REMEMBERED)(self._of)

    @property
    def has_own_instants(self) -> bool:
        """Whether each measurement has an instant of its own."""
        return "ts" in self._companions or "ts" in self._repeat

    def _of(self, names: tuple[str, ...]) -> tuple[Measurement, ...]:
        """The measurements of records with these columns, in order."""
        names = tuple(name for name in names if name not in self._other and name not in self.shared)
        if self._repeat:
            return tuple(self._groups(names))
        companions, present = self._of_other_columns(names), frozenset(names)
        found = []
        for name in names:
            tag = tag_in(name, self._value)
            if tag is not None and name not in companions:
                own = {kind: pattern.replace(TAG, tag) for kind, pattern in self._companions.items()}
                own = {kind: column for kind, column in own.items() if column in present or kind not in self._optional}
                found.append(Measurement(name, tag.strip(), None, **own))
        return tuple(found)

    def _of_other_columns(self, names: Iterable[str]) -> frozenset[str]:
        """The columns that have the instant or quality of another one."""
        present = frozenset(names)
        tags = {(name, tag_in(name, pattern)) for name in present for pattern in self._companions.values()}
        return frozenset(name for name, tag in tags if tag is not None and self._value.replace(TAG, tag) in present)

    def _groups(self, names: Sequence[str]) -> Iterable[Measurement]:
        size = len(self._repeat)
        groups = [names[start : start + size] for start in range(0, len(names) - size + 1, size)]
        shared = _repeated(groups)
        for group in groups:
            columns = dict(zip(self._repeat, group, strict=True))
            named = [name.strip() for name in group if not UNNAMED.match(name)]
            own = [name for name in named if name not in shared and not GENERIC.match(name)]
            name = None if "tag" in columns else next(iter([*own, *named]), group[0])
            yield Measurement(name=name, **columns)


def _repeated(groups: Sequence[Sequence[str]]) -> frozenset[str]:
    """The names that are the same in several groups, as `Time` and `Time 2`: they do not say which tag it is."""
    bases = [{_SECOND.sub("", name.strip()) for name in group} for group in groups]
    several = {name for number, base in enumerate(bases) for name in base if any(name in o for o in bases[:number])}
    return frozenset(name.strip() for group in groups for name in group if _SECOND.sub("", name.strip()) in several)


def tag_in(name: str, pattern: str) -> str | None:
    """The tag in a column's name; None if it does not match the pattern."""
    before, _, after = pattern.partition(TAG)
    if len(name) <= len(before) + len(after) or not name.startswith(before) or not name.endswith(after):
        return None
    return name[len(before) : len(name) - len(after)]
