"""What a changed plant means for a job that resumes: whose windows and open anomalies end, and who starts anew."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from eugenie_cli.site.names import listed

Key = TypeVar("Key", bound=Hashable)

ENDS = "windows are dropped, open anomalies close as `removed`, readings that wait for their row become dead letters"
"""What the job does, at once, with what no longer is in the site file under this asset and class."""


def consequences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences about assets that left, changed class, came or were renamed, between two shapes (`shape_of`)."""
    return tuple(_consequences(before.get("assets", {}), after.get("assets", {}), after.get("classes", {})))


def _consequences(was: Mapping[str, Any], now: Mapping[str, Any], classes: Mapping[str, Any]) -> Iterator[str]:
    left, came = [name for name in was if name not in now], [name for name in now if name not in was]
    changed = [name for name in was if name in now and was[name]["class_name"] != now[name]["class_name"]]
    if left:
        yield f"no longer in the site file: {listed(left)}: {ENDS}; further readings of them are unknown tags"
    for (old, new), names in _by(changed, lambda name: (was[name]["class_name"], now[name]["class_name"])):
        yield f"in class {new} instead of {old}: {listed(names)}: {ENDS}; {_starts(classes, new)}"
    for class_name, names in _by(came, lambda name: now[name]["class_name"]):
        yield f"new in class {class_name}: {listed(names)}: {_starts(classes, class_name)}"
    for old, new in _renamed(left, came, was, now):
        yield f"{new} has the class and the tags of {old}: if it is the same asset, its windows do not follow the name"


def _renamed(
    left: Iterable[str], came: Iterable[str], was: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Pairs of an asset that left and one that came, with the same class and tags of their own."""
    free = list(came)
    for old in left:
        new = next((name for name in free if was[old]["tags"] and now[name] == was[old]), None)
        if new is not None:
            free.remove(new)
            yield old, new


def _starts(classes: Mapping[str, Any], class_name: str) -> str:
    window = classes.get(class_name, {}).get("window")
    rows = f" after {window} rows" if window else " when their windows have filled"
    return f"first scores{rows}"


def _by(names: Iterable[str], key: Callable[[str], Key]) -> Iterable[tuple[Key, list[str]]]:
    groups: dict[Key, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return groups.items()
