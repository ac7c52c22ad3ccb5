"""Groups many names by common prefixes, the largest groups divided first, into at most a given number. Pure.

Names of a plant are paths ("PLANT.AREA7.TAG12", "area/line/tag", "PUMP12_FLOW"), so a prefix that ends where a part of
the path ends says which area, line or device is meant. Names without structure (UUIDs) end in one group.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from heapq import heapify, heappop, heappush

SEPARATOR = "\x1f"
"""Between the parts of a name that are no path of the plant, such as asset and tag."""
_SEPARATORS = SEPARATOR + r"./:|\\;!?>\[\](){}=,_ \-"
_PATH_PART = re.compile(rf"[^{_SEPARATORS}]*[{_SEPARATORS}]+")
"""A part of a path with the separators after it."""
_RUN = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
"""Letters, digits, or other characters: for names that number things without a separator, such as P12F3."""

_LAST = chr(0x10FFFF)
"""Sorts after every continuation of a name."""

Group = tuple[int, int, str]
"""(begin, end, prefix): the names [begin, end) start with the prefix; with a single name, it is the whole name."""


def grouped(
    names: Sequence[str], weight: Callable[[int, int], int], limit: int, prefixes: Collection[str] = ()
) -> list[Group]:
    """Sorted names as groups that cover all of them, in order; at most `limit` groups (>= 1).

    `weight(begin, end)`: the number of tags that the names [begin, end) stand for; the heaviest group is divided first.
    `prefixes`: names that stand for earlier groups, which take in what continues them.
    """
    if len(names) <= limit:
        return [(index, index + 1, name) for index, name in enumerate(names)]
    root = 0, len(names), _whole_parts(names[0], names[-1])
    undivided = [(-weight(0, len(names)), root)]
    finished: list[Group] = []
    heapify(undivided)
    while undivided:
        _, group = heappop(undivided)
        begin, end, _ = group
        room = min(limit - len(finished) - len(undivided), weight(begin, end) // 2)  # else they would hardly be groups
        is_earlier = (
            names[begin] in prefixes and names[begin].strip(SEPARATOR) and names[end - 1].startswith(names[begin])
        )
        parts = None if is_earlier or end - begin == 1 else _divided(names, begin, end, room)
        if parts is None:
            finished.append(group)
            continue
        for part in parts:
            heappush(undivided, (-weight(part[0], part[1]), part))
    return sorted(finished)


def _whole_parts(first: str, last: str) -> str:
    """The longest common prefix that does not end within a run of letters or digits."""
    common = _common(first, last)
    ends = [run.end() for run in _RUN.finditer(first) if run.end() <= common]
    return first[: ends[-1]] if ends else ""


def _common(first: str, last: str) -> int:
    """The length of the common prefix of two names, and of all that sort between them."""
    return next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))


def _divided(names: Sequence[str], begin: int, end: int, room: int) -> list[Group] | None:
    """A group as at least two groups, by the next part of the path; None if they would be more than `room`."""
    depth = _common(names[begin], names[end - 1])
    if depth == len(names[begin]) == len(names[end - 1]):
        return None  # all names are equal
    by_path = _parts(names, begin, end, depth, _PATH_PART, room)
    return by_path if by_path is not None else _parts(names, begin, end, depth, _RUN, room)


def _parts(
    names: Sequence[str], begin: int, end: int, depth: int, part: re.Pattern[str], room: int
) -> list[Group] | None:
    groups: list[Group] = []
    while begin < end:
        if len(groups) >= room:
            return None
        name = names[begin]
        match = part.match(name, depth)
        prefix = name if match is None else name[: match.end()]
        if prefix == name:  # not a group: T1 is no prefix of T10
            stop = bisect_right(names, name, begin, end)
        else:
            stop = bisect_right(names, prefix + _LAST, begin, end)
        groups.append((begin, stop, name if stop - begin == 1 else prefix))
        begin = stop
    return groups
