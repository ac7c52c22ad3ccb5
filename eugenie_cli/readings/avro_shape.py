"""Bounds of the bodies that an Avro schema allows, checked before any body is read.

fastavro reads a body by recursion in C: with a schema that contains itself, a deep enough body crashes the process, and
an array of zero-length values fills the memory from six bytes. No message of readings needs either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAX_DEPTH = 64
"""Levels of nested types; gateways use a handful."""

_PLAIN = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_Shape = tuple[int, bool]
"""Depth, and whether a value may have zero bytes."""


def check_shape(parts: Sequence[Any]) -> None:
    """Raise ValueError if a schema is unbounded. Each is JSON and follows those that it references."""
    known: dict[str, _Shape] = {}
    for part in parts:
        _shape(part, "", known, (), 0)


def _shape(schema: Any, space: str, known: dict[str, _Shape], within: tuple[str, ...], above: int) -> _Shape:
    if above > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(schema, list):  # a union: the index of the branch takes a byte
        return max((_shape(branch, space, known, within, above + 1)[0] for branch in schema), default=0), False
    if not isinstance(schema, dict):
        return _named(str(schema), space, known, within, above)
    kind = schema.get("type")
    if kind in ("record", "error"):
        return _record(schema, space, known, within, above)
    if kind in ("array", "map"):
        depth, empty = _shape(schema.get("items" if kind == "array" else "values"), space, known, within, above + 1)
        if kind == "array" and empty:
            raise ValueError("it has an array of zero-length values, and a short body may claim any number of them")
        return depth + 1, False
    if kind in ("enum", "fixed"):
        known[_full(schema, space)[0]] = (1, kind == "fixed" and not schema.get("size"))
        return known[_full(schema, space)[0]]
    return _shape(kind, space, known, within, above + 1)


def _record(
    schema: dict[str, Any], space: str, known: dict[str, _Shape], within: tuple[str, ...], above: int
) -> _Shape:
    name, inner = _full(schema, space)
    shapes = [
        _shape(field.get("type"), inner, known, (*within, name), above + 1)
        for field in schema.get("fields") or ()
        if isinstance(field, dict)
    ]
    known[name] = (1 + max((depth for depth, _ in shapes), default=0), all(empty for _, empty in shapes))
    return known[name]


def _named(name: str, space: str, known: dict[str, _Shape], within: tuple[str, ...], above: int) -> _Shape:
    if name in _PLAIN:
        return 1, name == "null"
    full = name if "." in name or not space else f"{space}.{name}"
    if full in within or name in within:
        raise ValueError(f"{full} contains itself")
    shape = known.get(full) or known.get(name) or (1, False)
    if above + shape[0] > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    return shape


def _full(schema: dict[str, Any], space: str) -> tuple[str, str]:
    """A schema's full name, and the namespace of the names inside it."""
    name = str(schema.get("name", ""))
    if "." in name:
        return name, name.rpartition(".")[0]
    own = str(schema.get("namespace") or space)
    return (f"{own}.{name}" if own else name), own
