"""Stands in for a PI Web API, which cannot be had without a licence: what its reference says of these resources.

Both ends of a span are inside; at most `most` values of a point are returned, the oldest; a higher `maxCount` than
`allowed` is refused; instants have seven digits; states are objects; one unknown point is an error of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from support.http_server import http_server

UNIT = {"EngineeringUnits": "bar", "PointType": "Float32", "Descriptor": ""}


@dataclass
class Archive:
    """`points`: name -> (instant in ms, item without its timestamp). `failures`: statuses of the next answers."""

    points: dict[str, list[tuple[int, dict[str, Any]]]]
    server: str = "PISRV"
    allowed: int = 150_000
    login: str = "reader:word"
    failures: list[int] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    def answer(self, path: str, given: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        self.queries.append(path)
        if self.failures:
            return self.failures.pop(0), {"Errors": ["not now"]}
        if path == "/piwebapi/points/multiple":
            return 207, {"Items": [self._point(name) for name in given["path"]]}
        if path == "/piwebapi/streamsets/recorded":
            most = int(given["maxCount"][0])
            if most > self.allowed:
                return 400, {"Errors": [f"The specified maxCount exceeds the maximum allowed of {self.allowed}."]}
            assert given["boundaryType"] == ["Inside"]
            start, end = (_ms(given[name][0]) for name in ("startTime", "endTime"))
            return 200, {"Items": [self._stream(web_id, start, end, most) for web_id in given["webId"]]}
        if path == "/piwebapi/dataservers":
            if given["path"] != [f"\\\\{self.server}"]:
                return 404, {"Errors": ["no such server"]}
            return 200, {"WebId": "F1DS", "Name": self.server}
        if path == "/piwebapi/dataservers/F1DS/points":
            first, most = int(given["startIndex"][0]), int(given["maxCount"][0])
            names = list(self.points)[first : first + most]
            return 200, {"Items": [{**self._point(f"\\\\{self.server}\\{name}")["Object"], **UNIT} for name in names]}
        if path == "/piwebapi/streamsets/recordedattime":
            last = given["retrievalMode"] == ["AtOrBefore"]
            return 200, {"Items": [self._edge(web_id, last) for web_id in given["webId"]]}
        return 404, {"Errors": ["no such resource"]}

    def _point(self, path: str) -> dict[str, Any]:
        named = {"Identifier": path, "IdentifierType": "Path"}
        server, _, name = path.removeprefix("\\\\").partition("\\")
        if server != self.server or name.upper() not in {known.upper() for known in self.points}:
            return {**named, "Exception": {"Errors": [f"PI Point '{name}' was not found."]}}
        name = next(known for known in self.points if known.upper() == name.upper())
        return {**named, "Object": {"WebId": f"F1DP{name.encode().hex()}", "Name": name}}

    def _edge(self, web_id: str, last: bool) -> dict[str, Any]:
        name = bytes.fromhex(web_id.removeprefix("F1DP")).decode()
        if not self.points[name]:
            return {"WebId": web_id, "Value": {"Errors": ["no value"]}}
        ts, item = self.points[name][-1 if last else 0]
        return {"WebId": web_id, "Value": {"Timestamp": f"{_iso(ts)}0000Z", **item}}

    def _stream(self, web_id: str, start: int, end: int, most: int) -> dict[str, Any]:
        name = bytes.fromhex(web_id.removeprefix("F1DP")).decode()
        values = next(of for known, of in self.points.items() if known.upper() == name.upper())
        items = [{"Timestamp": f"{_iso(ts)}0000Z", **item} for ts, item in values if start <= ts <= end]
        return {"WebId": web_id, "Name": name, "Items": items[:most]}


def _ms(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(int))


def _iso(ts: int) -> str:
    return str(np.datetime64(ts, "ms"))


@contextmanager
def serving(
    archive: Archive, admits: Callable[[str], bool] | None = None, challenge: str = "Basic", host: str = "127.0.0.1"
) -> Iterator[str]:
    """The address of the API. `admits`: whether the value of a header `Authorization` logs in; default: with the
    archive's user name and password. `challenge`: what is asked for otherwise.
    """
    expected = f"Basic {base64.b64encode(archive.login.encode()).decode()}"
    is_in = admits or (lambda given: given == expected)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            denied = not is_in(self.headers.get("Authorization", ""))
            if denied:
                status, answer = 401, {"Message": "Authorization has been denied for this request."}
            else:
                status, answer = archive.answer(split.path, parse_qs(split.query))
            body = json.dumps(answer).encode()
            self.send_response(status)
            if denied:
                self.send_header("WWW-Authenticate", challenge)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http_server(Handler) as port:
        yield f"http://{host}:{port}/piwebapi"
