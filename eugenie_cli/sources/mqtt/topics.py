"""Patterns of topics: what to subscribe to, and the names in a topic. Imported with the settings: keep it light."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADER = "topic: "
"""Prefix of the headers as which the names in a topic are passed to the mapping."""
NAMES = ("asset", "sensor", "tag")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class TopicPattern:
    """`filter`: for the subscription; `topics`: matches the topics of its messages, with a group for each name."""

    filter: str
    topics: re.Pattern[str]
    names: tuple[str, ...]

    def names_in(self, topic: str) -> tuple[str, ...] | None:
        """The names in a topic, in the order of `names`; None if it is of another pattern."""
        match = self.topics.fullmatch(topic)
        return None if match is None else tuple(match[name] for name in self.names)


def parse_topic(pattern: str) -> TopicPattern:
    """`plant/{asset}/{sensor}` -> its filter `plant/+/+`, and how to find the names. Raises ValueError."""
    levels = pattern.split("/")
    names = _PLACEHOLDER.findall(pattern)
    for name in names:
        if name not in NAMES:
            raise ValueError(f"{{{name}}} is unknown: use {', '.join(f'{{{known}}}' for known in NAMES)}, + or #")
        if names.count(name) > 1:
            raise ValueError(f"{{{name}}} may occur only once")
    if "tag" in names and len(names) > 1:
        raise ValueError("{tag} is instead of {asset} and {sensor}")
    if levels[0] == "$share":
        raise ValueError("a shared subscription gives each reader a part of the messages: give the topic itself")
    filters, expressions = [], []
    for place, level in enumerate(levels):
        if level == "#":
            if place < len(levels) - 1:
                raise ValueError("# may only be the last level of a topic")
            filters.append("#")
            expressions.append("(?:/.*)?" if place else ".*")
            continue
        if level != "+" and any(sign in level for sign in "+#"):
            raise ValueError(f"{level!r}: + and # stand for a whole level of a topic")
        if "}{" in level:
            raise ValueError(f"{level!r}: it is not clear where one name ends and the next begins")
        filters.append("+" if level == "+" or "{" in level else level)
        parts = _PLACEHOLDER.split(level)
        expression = "[^/]*" if level == "+" else "".join(_expression(part, at) for at, part in enumerate(parts))
        expressions.append(("/" if place else "") + expression)
    ordered = tuple(name for name in NAMES if name in names)
    return TopicPattern("/".join(filters), re.compile("".join(expressions), re.DOTALL), ordered)


def _expression(part: str, at: int) -> str:
    return f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part)
