"""The client of a schema registry; the only module of this package that uses the network.

It sends two requests of Confluent's REST API, which Apicurio, Karapace and Redpanda also support.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.parse import quote

from eugenie_cli.readings.avro import SchemaOf, UnknownSchema
from eugenie_cli.readings.backoff import pause_s

AVRO, PROTOBUF = "AVRO", "PROTOBUF"
"""Kinds of schemas, as the registry calls them."""
_FORMATS = {AVRO: ": set `format: avro`", PROTOBUF: ": set `format: protobuf`", "JSON": ": set `format: json`"}

TIMEOUT_S = 10.0
MAX_ANSWER = 8_000_000  # bytes; a schema has a few thousand
UNKNOWN_FOR_S = 60.0  # a schema may be registered late; until then, one request per minute is enough
MAX_UNKNOWN = 10_000  # unknown schema ids kept; garbage may contain many
MAX_DEPTH = 20  # levels of references; deeper ones are circular
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

# Subject, version, schema not found. Any other 404 does not come from a registry: the address may be wrong.
_NOT_FOUND = (40401, 40402, 40403)


class RetryableError(Exception):
    """The registry cannot answer now. The schema may exist, so no message may be rejected."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would send the password to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class SchemaRegistry:
    """Schemas by id, each fetched once: a `SchemaOf`.

    `url`: of the registry, with its path if it has one. `ca`: a PEM file with the CA that signed its certificate;
    default: the system's CAs. `kind`: of the schemas, AVRO or PROTOBUF. `clock`: monotonic, in seconds.
    """

    timeout_s = TIMEOUT_S

    def __init__(
        self,
        url: str,
        username: str | None = None,
        password: str | None = None,
        ca: str | None = None,
        kind: str = AVRO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        self._kind = kind
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if username is not None:
            credentials = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {credentials}"
        context = ssl.create_default_context(cafile=ca)
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect())
        self._clock = clock
        self._schemas: dict[int, tuple[Any, ...]] = {}
        self._unknown: dict[int, tuple[float, str]] = {}

    def __call__(self, number: int) -> tuple[Any, ...]:
        """The schema, preceded by those that it references. Raises UnknownSchema or RetryableError.

        Avro schemas are parsed JSON; Protobuf's are pairs: the name by which others import it (empty for the schema
        itself), and its descriptor in base64.
        """
        known = self._schemas.get(number)
        if known is not None:
            return known
        until, why = self._unknown.get(number, (float("-inf"), ""))
        if self._clock() < until:
            raise UnknownSchema(why)
        try:
            schemas = self._with_references(self._get(f"/schemas/ids/{number}{self._query}"), f"schema {number}", "", 0)
        except UnknownSchema as unknown:
            if len(self._unknown) >= MAX_UNKNOWN:
                self._unknown.clear()
            self._unknown[number] = (self._clock() + UNKNOWN_FOR_S, str(unknown))
            raise
        self._schemas[number] = schemas
        return schemas

    def check(self) -> None:
        """Raise RetryableError with the reason unless a registry answers and accepts the credentials."""
        try:
            self._get("/schemas/types")
        except UnknownSchema as refused:  # a registry's error, but for a path that every registry has
            raise RetryableError(f"{self.url}: {refused}") from None

    @property
    def _query(self) -> str:
        return "?format=serialized" if self._kind == PROTOBUF else ""

    def _with_references(self, answer: Any, what: str, name: str, depth: int) -> tuple[Any, ...]:
        if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
            raise RetryableError(f"{self.url} returned no schema for {what}")
        kind = answer.get("schemaType") or AVRO
        if kind != self._kind:
            raise UnknownSchema(f"{what} is of kind {kind}, not {self._kind}{_FORMATS.get(kind, '')}")
        if depth > MAX_DEPTH:
            raise UnknownSchema(f"{what} is part of a circular reference")
        schemas: list[Any] = []
        for reference in answer.get("references") or ():
            try:
                subject, version = str(reference["subject"]), int(reference["version"])
            except (KeyError, TypeError, ValueError):
                raise RetryableError(f"{self.url} returned an incomplete reference in {what}") from None
            referenced = self._get(f"/subjects/{quote(subject, safe='')}/versions/{version}{self._query}")
            imported_as = str(reference.get("name") or "")
            for schema in self._with_references(referenced, f"{subject}, version {version},", imported_as, depth + 1):
                if schema not in schemas:  # two schemas may reference the same third one
                    schemas.append(schema)
        if self._kind == PROTOBUF:
            return (*schemas, (name, answer["schema"]))
        try:
            return (*schemas, json.loads(answer["schema"]))
        except (ValueError, RecursionError):
            raise UnknownSchema(f"{what} is not JSON") from None

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers=self._headers)  # noqa: S310 - the site file's address
        try:
            try:
                response = self._opener.open(request, timeout=self.timeout_s)
            except urllib.error.HTTPError as refused:
                response = refused
            with response:
                status, body = response.status, response.read(MAX_ANSWER)
        except (OSError, HTTPException) as error:  # refused, unknown host, untrusted certificate, time-out, not HTTP
            raise RetryableError(f"{self.url} does not answer: {getattr(error, 'reason', error)}") from None
        if status != 200:
            self._refused(path, status, body)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise RetryableError(f"{self.url}{path} did not return JSON") from None

    def _refused(self, path: str, status: int, body: bytes) -> NoReturn:
        try:
            answer = json.loads(body)
            code, message = int(answer["error_code"]), str(answer.get("message", "not found"))
        except (ValueError, RecursionError, TypeError, KeyError):
            code, message = 0, ""
        if status == 404 and code in _NOT_FOUND:
            raise UnknownSchema(f"{path.rpartition('/')[2]}: {message}"[:200])
        why = "rejected the user name or password" if status in (401, 403) else f"returned status {status}"
        raise RetryableError(f"{self.url}{path} {why}")


def patient(
    schema_of: SchemaOf, on_wait: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> SchemaOf:
    """Wrap `schema_of` to retry without limit while the registry is unreachable: the messages are safe in Kafka.

    `on_wait` is called with the reason before each pause.
    """

    def waiting(number: int) -> Any:
        failures = 0
        while True:
            try:
                return schema_of(number)
            except RetryableError as error:
                on_wait(str(error))
            failures += 1
            sleep(pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S))

    return waiting
