"""What a source of windows has to offer: its tags, with what is known about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from eugenie_cli.readings.routing import Router
from eugenie_cli.sources.windows.pace import Pace


@dataclass(frozen=True)
class Browsed:
    """A tag, or a column, of a source. `sensor`: "asset, sensor" of the site that it leads to; `unit`: as the source
    has it; `readings`: their number; `start_ms`, `end_ms`: the first and the last instant, ms since 1970 UTC,
    inclusive; `note`: what else is to know. None: there is none, or the source does not say.
    """

    tag: str
    sensor: str | None = None
    unit: str | None = None
    readings: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    note: str | None = None


@runtime_checkable
class Browsable(Protocol):
    """A `WindowReader` whose tags can be listed."""

    def browse(self, pattern: str | None, pace: Pace) -> Iterator[Browsed]:
        """Tags that match a pattern (`matches`), those that the site lacks among them, in any order."""


def matches(pattern: str | None, tag: str) -> bool:
    """Whether a tag fits a pattern such as `line 1/*/pressure`, regardless of case; None: every tag."""
    return pattern is None or fnmatchcase(tag.casefold(), pattern.casefold())


def sensor_of(router: Router, asset: str | None, sensor: str | None, tag: str | None) -> str | None:
    """ "asset, sensor" to which a name leads; None if the site does not have it."""
    route = router.route(asset, sensor, tag)
    return None if route is None else f"{route[0]}, {router.sensors_of(route[0])[route[1]]}"
