"""What an Avro schema lets a body grow to, known before any body is read.

fastavro reads a body by recursion in C: one of a schema that holds itself ends the process when it is deep enough, and
an array of nothing fills the memory from six bytes. No message of readings needs either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAX_DEPTH = 64
"""Types inside each other; gateways nest a handful."""

_PLAIN = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_Shape = tuple[int, bool]
"""Depth, and whether a value of it may take no byte at all."""


def check_shape(parts: Sequence[Any]) -> None:
    """Raise ValueError for schemas, each as JSON and after those it refers to, of which the last is not bounded."""
    known: dict[str, _Shape] = {}
    for part in parts:
        _shape(part, "", known, (), 0)


def _shape(schema: Any, space: str, known: dict[str, _Shape], within: tuple[str, ...], above: int) -> _Shape:
    if above > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(schema, list):  # a union: the number of its branch is a byte
        return max((_shape(one, space, known, within, above + 1)[0] for one in schema), default=0), False
    if not isinstance(schema, dict):
        return _named(str(schema), space, known, within, above)
    kind = schema.get("type")
    if kind in ("record", "error"):
        return _record(schema, space, known, within, above)
    if kind in ("array", "map"):
        depth, empty = _shape(schema.get("items" if kind == "array" else "values"), space, known, within, above + 1)
        if kind == "array" and empty:
            raise ValueError("it has an array of values that take no byte, of which a short body may claim any number")
        return depth + 1, False
    if kind in ("enum", "fixed"):
        known[_full(schema, space)[0]] = (1, kind == "fixed" and not schema.get("size"))
        return known[_full(schema, space)[0]]
    return _shape(kind, space, known, within, above + 1)


def _record(
    schema: dict[str, Any], space: str, known: dict[str, _Shape], within: tuple[str, ...], above: int
) -> _Shape:
    name, inner = _full(schema, space)
    found = [
        _shape(field.get("type"), inner, known, (*within, name), above + 1)
        for field in schema.get("fields") or ()
        if isinstance(field, dict)
    ]
    known[name] = (1 + max((depth for depth, _ in found), default=0), all(empty for _, empty in found))
    return known[name]


def _named(name: str, space: str, known: dict[str, _Shape], within: tuple[str, ...], above: int) -> _Shape:
    if name in _PLAIN:
        return 1, name == "null"
    full = name if "." in name or not space else f"{space}.{name}"
    if full in within or name in within:
        raise ValueError(f"{full} holds itself")
    shape = known.get(full) or known.get(name) or (1, False)
    if above + shape[0] > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    return shape


def _full(schema: dict[str, Any], space: str) -> tuple[str, str]:
    """Its full name, and the namespace of what it holds."""
    name = str(schema.get("name", ""))
    if "." in name:
        return name, name.rpartition(".")[0]
    own = str(schema.get("namespace") or space)
    return (f"{own}.{name}" if own else name), own
