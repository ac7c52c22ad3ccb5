"""The records of JSON documents: those of arrays at a path, which may lead through other arrays.

Members that a record lacks are looked up in the objects around it, some of which may follow the array. So a document is
read twice: once for its outline, the document with an empty array; then for the records.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple

from eugenie_cli.readings.mapping import WHOLE
from eugenie_cli.sources.json.scanner import Scanner

Names = tuple[str, ...]


class Record(NamedTuple):
    """`value`: of any type; `around`: the members of the objects around it; `array` and `number`: where it is; `plain`:
    False if NaN or Infinity is in it.
    """

    value: Any
    around: Mapping[str, Any]
    array: str
    number: int | None
    plain: bool = True

    @property
    def place(self) -> str:
        """Such as `a.json:Items[3].Items[17]`."""
        return self.array if self.number is None else f"{self.array}[{self.number}]"


class Outline(NamedTuple):
    """A document with an empty array; `found`: whether the array is there."""

    document: Any
    found: bool


def outlines(scanner: Scanner, path: str) -> list[Outline]:
    """Of all documents of a file. Raises NotJson."""
    found = []
    while scanner.peek():
        elements, has_array = _elements(scanner, _names(path), path), False
        while True:
            try:
                has_array |= next(elements) is _BEGIN
            except StopIteration as ended:
                found.append(Outline(ended.value, has_array))
                break
    return found


def records(scanner: Scanner, path: str, documents: list[Outline], name: str) -> Iterator[Record]:
    """The records of all documents of a file called `name`. Raises NotJson."""
    for number, outline in enumerate(documents, 1):
        before = f"{name}:document {number}, " if len(documents) > 1 else f"{name}:"
        around = outline.document if isinstance(outline.document, dict) else {}
        constants, first = scanner.constants, 0
        for part in _elements(scanner, _names(path), path):
            if part is _BEGIN:
                continue
            elements, walked, rest = part
            array = before + walked
            plain, constants = scanner.constants == constants, scanner.constants
            for index, element in enumerate(elements, first):
                if not rest:
                    yield Record(element, around, array, index, plain)
                    continue
                for inner in _descend(element, rest, around, f"{array}[{index}]"):
                    yield inner._replace(plain=plain)
            first += len(elements)


def _descend(value: Any, names: Names, around: Mapping[str, Any], place: str) -> Iterator[Record]:
    """The records below an element of an outer array."""
    if not isinstance(value, dict):
        yield Record(value, around, place, None)
        return
    here = {**around, **value}
    inner: Any = value
    for count, name in enumerate(names, 1):
        inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, list):
            here.pop(names[0], None)
            array = f"{place}.{'.'.join(names[:count])}"
            for index, element in enumerate(inner):
                if count < len(names):
                    yield from _descend(element, names[count:], here, f"{array}[{index}]")
                else:
                    yield Record(element, here, array, index)
            return
    yield Record(value, around, place, None)  # without the array: the mapping says what it lacks


_BEGIN = object()
"""Instead of elements: the array has begun."""


def _elements(scanner: Scanner, names: Names, path: str | None, walked: str = "") -> Generator[Any, None, Any]:
    """_BEGIN, then (elements, the path to the array, the names below it). Returns the outline of what was passed."""
    first = scanner.peek()
    if first == "[":
        began = led = not (names and path)
        if began:
            yield _BEGIN
        for elements in scanner.elements():
            if not began:  # at the top, the path leads through the objects of the array, or is not of this file
                began, led = True, any(isinstance(element, dict) and names[0] in element for element in elements)
                if led:
                    yield _BEGIN
            if led:
                yield elements, walked, names
        return []
    if first != "{" or not names:
        return scanner.value()
    scanner.take("{")
    outline: dict[str, Any] = {}
    is_first = True
    while scanner.peek() != "}":
        if not is_first:
            scanner.take(",")
        is_first = False
        key = scanner.value()
        scanner.take(":")
        if key == path:
            outline[key] = yield from _elements(scanner, (), None, key)
        elif key == names[0]:
            below = f"{walked}.{key}" if walked else key
            outline[key] = yield from _elements(scanner, names[1:], None, below)
        else:
            outline[key] = scanner.value()
    scanner.take("}")
    return outline


def by_place(value: Any) -> Any:
    """A value with each array as an object whose members are called 0, 1 and so on, so that a path can name them."""
    if isinstance(value, list):
        return {str(index): by_place(element) for index, element in enumerate(value)}
    if isinstance(value, dict):
        return {name: by_place(inner) if isinstance(inner, list) else inner for name, inner in value.items()}
    return value


def _names(path: str) -> Names:
    return () if path == WHOLE else tuple(path.split("."))
