"""Queries of InfluxDB 3 over Arrow Flight, whose failures say whether to wait, to ask for less, or to give up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import flight

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.printable import printable
from eugenie_cli.site.secrets import reveal
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE

SHOWN = 300
"""Characters of the server's words in an error."""


class FlightQueries:
    """A connection, opened by the first query. `ca`: PEM file; None for the system's authorities."""

    def __init__(self, source: InfluxSettings, ca: Path | None) -> None:
        self._source = source
        self._where = f"source {source.name}: {source.url}"
        split = urlsplit(source.url)
        secure = split.scheme == "https"
        port = split.port or (443 if secure else 80)
        self._location = f"grpc+{'tls' if secure else 'tcp'}://{split.hostname}:{port}"
        self._ca = ca
        token = source.token
        self._headers = [(b"authorization", f"Bearer {reveal(token)}".encode())] if token is not None else []
        self._client: flight.FlightClient | None = None

    def answer(self, query: str, timeout_s: float) -> list[pa.RecordBatch]:
        """The rows of a query. Raises EugenieError."""
        ticket = {"database": self._source.database, "sql_query": query, "query_type": "sql"}
        options = flight.FlightCallOptions(headers=self._headers, timeout=timeout_s)
        batches: list[pa.RecordBatch] = []
        rows = 0
        try:
            for chunk in self._open().do_get(flight.Ticket(json.dumps(ticket).encode()), options):
                batches.append(chunk.data)
                rows += chunk.data.num_rows
                if rows > ROWS_AT_ONCE:
                    raise TooMuchError(f"{self._where} has over {rows:,} points", "import less at a time: `window`")
        except (flight.FlightError, pa.ArrowException, OSError) as error:
            self.close()
            raise self._failure(error, timeout_s) from error
        return batches

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> flight.FlightClient:
        if self._client is None:
            given: dict[str, Any] = {"tls_root_certs": self._ca.read_bytes()} if self._ca is not None else {}
            self._client = flight.FlightClient(self._location, **given)
        return self._client

    def _failure(self, error: BaseException, timeout_s: float) -> EugenieError:
        said = printable(str(error).partition(". gRPC client debug context")[0], SHOWN)
        if isinstance(error, (flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError)):
            return SourceDownError(
                f"{self._where} refuses the token: {said}", "correct `token` of the source", ExitCode.REFUSED
            )
        if isinstance(error, flight.FlightTimedOutError):
            hint = "raise `pace: {timeout: ...}` of the source, or import when the server is idle (`daily`)"
            return TooMuchError(f"{self._where} did not answer within {timeout_s:g} s", hint, ExitCode.UNREACHABLE)
        if "certificate" in said.lower() or "handshake" in said.lower():
            return SourceDownError(
                f"{self._where}: its certificate is not trusted: {said}",
                "set `ca` of the source to the PEM file of the authority that signed it; if it has expired, renew it",
                ExitCode.UNREACHABLE,
            )
        if isinstance(error, (flight.FlightUnavailableError, flight.FlightCancelledError)):
            return TransientError(
                f"{self._where} cannot be reached: {said}",
                "check `url` of the source, and that the server runs",
                ExitCode.UNREACHABLE,
            )
        if isinstance(error, OSError) and not isinstance(error, flight.FlightError):
            return SourceDownError(f"{self._where}: {said}", "check `ca` of the source")
        return SourceDownError(f"{self._where}: {said}", "check the settings of the source")
