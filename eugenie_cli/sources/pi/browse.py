"""Lists the points of a PI Data Archive, with the first and the last recorded value of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from eugenie_cli.readings.routing import Router
from eugenie_cli.sources.pi.settings import PiSettings
from eugenie_cli.sources.windows.browsing import Browsed, matches, sensor_of

AT_ONCE = 1_000
"""Points in a page of the list."""
EDGES = (("start", "1970-01-01T00:00:00Z", "AtOrAfter"), ("end", "*", "AtOrBefore"))

Get = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""(path, parameters) -> the answer."""


def browse_points(source: PiSettings, get: Get, router: Router, pattern: str | None) -> Iterator[Browsed]:
    """One for each point that matches, those that the site lacks among them."""
    server = get("/dataservers", {"path": f"\\\\{source.server}"})["WebId"]
    spelt = {_point(source, route.tag): route.tag for route in router.table() if route.asset is None and route.tag}
    page: list[Mapping[str, Any]] = []
    first = 0
    while first == 0 or len(page) == AT_ONCE:
        parameters = {"nameFilter": "*", "startIndex": first, "maxCount": AT_ONCE}
        page = list(get(f"/dataservers/{server}/points", parameters).get("Items", []))
        first += AT_ONCE
        found = [point for point in page if matches(pattern, str(point.get("Name")))]
        size = source.points_per_call
        for begin in range(0, len(found), size):
            some = found[begin : begin + size]
            edges = _edges(get, [str(point["WebId"]) for point in some])
            for point in some:
                name, (start, end) = str(point["Name"]), edges.get(str(point["WebId"]), (None, None))
                sensor = sensor_of(router, None, None, spelt.get(name.casefold()))
                kind = f"{point.get('PointType') or ''} {point.get('Descriptor') or ''}".strip()
                yield Browsed(name, sensor, point.get("EngineeringUnits") or None, None, start, end, kind or None)


def _edges(get: Get, ids: list[str]) -> dict[str, tuple[int | None, int | None]]:
    """Web id -> instants of the first and the last recorded value, ms since 1970 UTC."""
    found: dict[str, dict[str, int]] = {web_id: {} for web_id in ids}
    for edge, at, mode in EDGES:
        answer = get("/streamsets/recordedattime", {"webId": ids, "time": at, "retrievalMode": mode})
        for stream in answer.get("Items", []):
            text = (stream.get("Value") or {}).get("Timestamp")
            if stream.get("WebId") in found and isinstance(text, str) and not (stream.get("Value") or {}).get("Errors"):
                found[stream["WebId"]][edge] = _ms(text)
    return {web_id: (edges.get("start"), edges.get("end")) for web_id, edges in found.items()}


def _point(source: PiSettings, tag: str) -> str:
    """The point of a tag, in small letters: PI's names have no case."""
    return source.point.replace("{tag}", tag).casefold()


def _ms(text: str) -> int:
    return int(np.datetime64(re.sub(r"(\.\d{3})\d*", r"\1", text).removesuffix("Z"), "ms").astype(int))
