"""Limits the depth and size of a YAML text by counting its parser events, before any recursion.

PyYAML composes recursively in C, so a few thousand brackets crash the process, and with aliases ten lines can stand for
billions of values. Both are reported here with their line, without building any value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from eugenie_cli.site.diagnostics import Position, Problem

MAX_DEPTH = 64
"""Nested sections and lists; a site file has about eight levels."""
MAX_VALUES = 2_000_000
"""Values with all aliases expanded, more than any plant needs."""
MAX_CHARACTERS = 64 * 1024 * 1024
"""A site with 10,000 assets of eight tags each has about 4 million."""


@dataclass
class _Open:
    """A section or list whose end has not been reached."""

    anchor: str | None
    values: int = 1
    height: int = 0

    def take(self, values: int, height: int) -> None:
        self.values += values
        self.height = max(self.height, height)


def beyond_limits(text: str, loader: Any) -> Problem | None:
    """The first position at which the text is too deep, too large or contains itself; None if it can be composed.

    Raises yaml.YAMLError if the text is not valid YAML up to such a position.
    """
    if len(text) > MAX_CHARACTERS:
        return Problem(Position(1, 1), (), f"{len(text):,} characters, at most {MAX_CHARACTERS:,} are read")
    opened = [_Open(None)]
    anchors: dict[str, tuple[int, int]] = {}
    values = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.ScalarEvent):
            size = (1, 0)
            values += 1
            if event.anchor is None:  # nearly all values: this is the inner loop
                opened[-1].values += 1
                if values <= MAX_VALUES:
                    continue
            else:
                anchors[event.anchor] = size
        elif isinstance(event, yaml.CollectionStartEvent):
            values += 1
            opened.append(_Open(event.anchor))
            if len(opened) - 1 > MAX_DEPTH:
                return _problem(event, f"nested more than {MAX_DEPTH} deep")
            continue
        elif isinstance(event, yaml.CollectionEndEvent):
            done = opened.pop()
            size = (done.values, done.height + 1)
            if done.anchor is not None:
                anchors[done.anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            if any(collection.anchor == event.anchor for collection in opened):
                return _problem(event, f"the alias *{event.anchor} is inside the section that it refers to")
            size = anchors.get(str(event.anchor), (1, 0))  # an unknown alias is reported by the composer
            values += size[0]
            if len(opened) - 1 + size[1] > MAX_DEPTH:
                return _problem(event, f"with the alias *{event.anchor} it is nested more than {MAX_DEPTH} deep")
        else:
            continue
        opened[-1].take(*size)
        if values > MAX_VALUES:
            return _problem(event, f"its aliases stand for more than {MAX_VALUES:,} values")
    return None


def _problem(event: yaml.Event, message: str) -> Problem:
    mark = event.start_mark
    return Problem(Position(mark.line + 1, mark.column + 1) if mark is not None else Position(1, 1), (), message)
