"""The part of each column in a record: long or wide, and what each column is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CONTROL = "$RT_"
"""Begins the names of marks that WinCC writes between the readings of tags."""


@dataclass(frozen=True)
class Shape:
    """`kind`: "long" or "wide". The names of columns: `times` of the instant that a row shares (none if each tag has
    its own), `asset`, `sensor`, `tag` (None if no column has it), `values`, `quality`; `ignored`: columns that are no
    sensors; `own`: the section `columns`, with the columns of all `instants` and `qualities`; `tags`: value column ->
    tag, of wide tables; `per_file`: each file is of one tag, which its name has; `renamed`: the tags of groups of
    columns whose names must be given, because the first name of a group is no tag.
    """

    kind: str
    times: tuple[str, ...] = ()
    asset: str | None = None
    sensor: str | None = None
    tag: str | None = None
    values: tuple[str, ...] = ()
    quality: str | None = None
    ignored: tuple[str, ...] = ()
    own: dict[str, Any] = field(default_factory=dict)
    instants: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    per_file: bool = False
    renamed: tuple[str, ...] = ()
