"""Parses a YAML file into plain values, with the line and column of each.

Scalars stay text, exactly as written, and are interpreted by the types of the schema. So `no`, `0123`, `12:30:00`
and `1e3` are never converted unexpectedly, as YAML's own rules would. Only an empty value, `~` and `null` become
None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from eugenie_cli.site.diagnostics import Path, Position, Problem
from eugenie_cli.site.yaml_limits import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES, beyond_limits

Plain = Any
"""None, str, or lists and dicts of these."""

_PARSER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # the C parser, if PyYAML was built with it


class _Loader(_PARSER):  # type: ignore[misc]
    """Without the search for resolvers, of which there are none, at each of perhaps 100,000 nodes."""

    def descend_resolver(self, _node: object, _index: object) -> None: ...

    def ascend_resolver(self) -> None: ...

    def resolve(self, kind: type[yaml.Node], _value: object, _implicit: object) -> str:
        return _DEFAULT_TAGS[kind]


_DEFAULT_TAGS: dict[type[yaml.Node], str] = {
    yaml.ScalarNode: yaml.BaseLoader.DEFAULT_SCALAR_TAG,
    yaml.SequenceNode: yaml.BaseLoader.DEFAULT_SEQUENCE_TAG,
    yaml.MappingNode: yaml.BaseLoader.DEFAULT_MAPPING_TAG,
}
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_PLAIN = (None, "")
"""Styles of a scalar without quotation marks."""
_MERGE = "<<"
# PyYAML's parser in Python reports errors more exactly, but takes minutes for a large file.
_EXACT_UP_TO = 1_000_000


@dataclass
class Document:
    """The values of a file and the position of each. Paths are tuples of keys and list indices."""

    value: Plain = None
    values: dict[Path, yaml.Mark] = field(default_factory=dict)
    keys: dict[Path, yaml.Mark] = field(default_factory=dict)
    containers: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    written: dict[Path, str] = field(default_factory=dict)
    """Texts in which ${...} was replaced, as written in the file."""
    is_literal: bool = False
    """Whether no text contains ${...}."""

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where to report a problem at `path`: a scalar's value, a section's key, else the nearest parent."""
        for length in range(len(path), -1, -1):
            at = path[:length]
            if at in self.keys and (key or at in self.containers):
                return _position(self.keys[at])
            if at in self.values:
                return _position(self.values[at])
        return Position(1, 1)

    def has(self, path: Path) -> bool:
        return path in self.values


def parse(text: str) -> Document:
    """YAML text -> Document, with syntax errors, duplicate keys, tags and `yaml_limits` among its problems."""
    ordinary = _ordinary(text)
    if ordinary is not None:
        ordinary.is_literal = "${" not in text and "\\" not in text  # an escape may stand for it
        return ordinary
    document = Document()
    try:
        beyond = beyond_limits(text, _PARSER)
        if beyond is not None:
            document.problems.append(beyond)
            return document
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        document.problems.append(_syntax_problem(text, error))
        return document
    if node is not None:
        document.value = _Builder(document).build(node, ())
    return document


def _ordinary(text: str) -> Document | None:
    """The document of a text without anchors, tags, merged keys and problems, from the parser's events alone: several
    times faster. None for any other text.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    loader = _PARSER(text)
    try:
        return _from_events(loader.get_event)
    except yaml.YAMLError:
        return None
    finally:
        loader.dispose()


def _from_events(next_event: Callable[[], Any]) -> Document | None:
    """The document of a parser's events, or None as for `_ordinary`. Without recursion."""
    document = Document()
    values, keys = document.values, document.keys
    root: list[Plain] = []
    path: Path = ()
    inner: Any = root  # the innermost section or list
    key: str | None = None  # of a section, whose value comes next
    around: list[tuple[Path, Any]] = []
    at: Path = ()
    room = MAX_VALUES
    while (event := next_event()) is not None:
        kind = type(event)
        if kind in _BEGINNINGS:
            if event.anchor is not None or event.tag is not None or room == 0:
                return None
            room -= 1
            if key is not None:
                values[at] = event.start_mark  # at the place of its key
            elif type(inner) is dict:
                if kind is not yaml.ScalarEvent or event.value in inner or event.value == _MERGE:
                    return None
                key = event.value
                at = (*path, key)
                keys[at] = event.start_mark
                continue
            else:
                at = (*path, len(inner)) if inner is not root else ()
                values[at] = event.start_mark
            value = _scalar(event) if kind is yaml.ScalarEvent else _BEGINNINGS[kind]()
            if key is None:
                inner.append(value)
            else:
                inner[key], key = value, None
            if kind is not yaml.ScalarEvent:
                document.containers.add(at)
                around.append((path, inner))
                path, inner = at, value
                if len(around) > MAX_DEPTH:
                    return None
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            path, inner = around.pop()
        elif kind is yaml.AliasEvent or (kind is yaml.DocumentStartEvent and root):
            return None
    document.value = root[0] if root else None
    return document


def _scalar(written: Any) -> str | None:
    """The value of a scalar's event or node."""
    value = str(written.value)
    return None if value in _NULLS and written.style in _PLAIN else value


_BEGINNINGS: dict[type[yaml.Event], Callable[[], Plain]] = {
    yaml.ScalarEvent: str,
    yaml.MappingStartEvent: dict,
    yaml.SequenceStartEvent: list,
}


def _syntax_problem(text: str, error: yaml.YAMLError) -> Problem:
    try:
        # PyYAML's parser in Python reports position and reason more exactly than the C parser.
        if len(text) <= _EXACT_UP_TO:
            beyond_limits(text, yaml.BaseLoader)
            yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as exact:
        error = exact
    position, what = Position(1, 1), str(error)
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        what = f"the character U+{ord(text[error.position]):04X} is not allowed"
    elif isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        position = _position(mark) if mark is not None else position
        what = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(position, (), f"not valid YAML: {what}")


class _Builder:
    def __init__(self, document: Document) -> None:
        self.document = document

    def build(self, node: yaml.Node, path: Path) -> Plain:
        document = self.document
        document.values.setdefault(path, node.start_mark)
        if node.tag not in _TAGS:
            self.problem(node, path, f"the tag {node.tag} is not supported")
            return None
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        document.containers.add(path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.mapping(cast(yaml.MappingNode, node), path, frozenset())

    def mapping(self, node: yaml.MappingNode, path: Path, taken: frozenset[str]) -> dict[str, Any]:
        """The section's own keys and those that it merges, without `taken`: the keys of the section that merges it."""
        written = taken.union(str(key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, path, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key == _MERGE and key_node.style in (None, ""):
                for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    if isinstance(source, yaml.MappingNode) and source.tag in _TAGS:
                        merged = {**self.mapping(source, path, written.union(merged)), **merged}
                    else:
                        self.problem(source, path, "<< takes a section, by its alias")
                continue
            if key in taken:
                continue
            at = (*path, key)
            if key in own:
                first = self.document.keys[at]
                self.problem(key_node, at, f"duplicate key, first used in line {_position(first).line}")
                continue
            self.document.keys[at] = key_node.start_mark
            own[key] = self.build(value_node, at)
        return {**merged, **own}

    def problem(self, node: yaml.Node, path: Path, message: str) -> None:
        self.document.problems.append(Problem(_position(node.start_mark), path, message))


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)
