"""How deep and how large a YAML text is, from its events alone: known before anything recurses into it.

PyYAML composes by recursion, in C: a text of a few thousand brackets ends the process. Aliases let ten lines stand for
billions of values. Both are told here with their line, by counting; nothing is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from eugenie_cli.site.diagnostics import Position, Problem

MAX_DEPTH = 64
"""Sections and lists inside each other; a site file nests about eight."""
MAX_VALUES = 2_000_000
"""With every alias written out. No plant needs so many."""
MAX_CHARACTERS = 64 * 1024 * 1024
"""A site of 10,000 assets with eight tags each has about 4 million."""


@dataclass
class _Open:
    """A section or list that has begun."""

    anchor: str | None
    values: int = 1
    height: int = 0

    def take(self, values: int, height: int) -> None:
        self.values += values
        self.height = max(self.height, height)


def beyond_limits(text: str, loader: Any) -> Problem | None:
    """The first place at which the text is too deep, too large, or holds itself; None where it may be composed.

    Raises yaml.YAMLError for what is no YAML before such a place.
    """
    if len(text) > MAX_CHARACTERS:
        return Problem(Position(1, 1), (), f"{len(text):,} characters, at most {MAX_CHARACTERS:,} are read")
    opened = [_Open(None)]
    anchors: dict[str, tuple[int, int]] = {}
    values = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.ScalarEvent):
            found = (1, 0)
            values += 1
            if event.anchor is not None:
                anchors[event.anchor] = found
        elif isinstance(event, yaml.CollectionStartEvent):
            values += 1
            opened.append(_Open(event.anchor))
            if len(opened) - 1 > MAX_DEPTH:
                return _problem(event, f"nested more than {MAX_DEPTH} deep")
            continue
        elif isinstance(event, yaml.CollectionEndEvent):
            done = opened.pop()
            found = (done.values, done.height + 1)
            if done.anchor is not None:
                anchors[done.anchor] = found
        elif isinstance(event, yaml.AliasEvent):
            if any(one.anchor == event.anchor for one in opened):
                return _problem(event, f"the alias *{event.anchor} stands inside what it refers to")
            found = anchors.get(str(event.anchor), (1, 0))  # one that is unknown is told by whoever composes
            values += found[0]
            if len(opened) - 1 + found[1] > MAX_DEPTH:
                return _problem(event, f"with the alias *{event.anchor} it is nested more than {MAX_DEPTH} deep")
        else:
            continue
        opened[-1].take(*found)
        if values > MAX_VALUES:
            return _problem(event, f"its aliases stand for more than {MAX_VALUES:,} values")
    return None


def _problem(event: yaml.Event, message: str) -> Problem:
    mark = event.start_mark
    return Problem(Position(mark.line + 1, mark.column + 1) if mark is not None else Position(1, 1), (), message)
