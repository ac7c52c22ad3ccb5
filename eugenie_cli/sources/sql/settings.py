"""The settings of a `sql` source, and the type itself. Every command that opens a site imports this module: keep it
light.
"""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import Field, SecretStr, field_validator, model_validator

from eugenie_cli.masking import remember
from eugenie_cli.site.diagnostics import did_you_mean
from eugenie_cli.site.field_types import Label
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_bridge import PollingBridge
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.site.source_windows import WindowSettings
from eugenie_cli.sources.sql.select import problem_of_select

DATABASES = ("postgresql", "mariadb", "mysql", "sqlite", "mssql", "oracle")
_FORMS = (
    "postgresql://host:5432/database, mariadb://host:3306/database, mysql://host:3306/database, sqlite:///file.db,"
    " mssql://host:1433/database or oracle://host:1521/?service_name=NAME"
)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/@]*:([^/]*)@)?(.*)", re.DOTALL)
_OF_MESSAGES = ("base64", "registry", "records")

Bounds = Literal["instant", "utc", "local", "s", "ms", "us", "ns", "excel", "wincc"]


class DatabaseSettings(WindowSettings):
    """Where a database is, and who reads it."""

    url: str = Field(description=f"{_FORMS}; options of the driver follow a ?, such as ?sslmode=verify-full")
    username: str | None = Field(None, description="a user that may only read")
    password: SecretStr | None = None
    bridge: PollingBridge = PollingBridge()

    @field_validator("url")
    @classmethod
    def _is_known(cls, url: str) -> str:
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError(f"must be {_FORMS}")
        if match[2]:
            remember(match[2])
        if match[1] not in DATABASES:
            base = match[1].partition("+")[0].lower()
            meant = f" (did you mean {base}?)" if base in DATABASES else did_you_mean(match[1], DATABASES)
            raise ValueError(f"{match[1]} is none of {', '.join(DATABASES)}{meant}")
        if match[1] == "sqlite" and (not match[3].startswith("/") or len(match[3]) == 1):
            raise ValueError("must be sqlite:/// and a path, which is relative to the folder that holds site-configs/")
        if match[1] != "sqlite" and match[3][:1] in ("", "/", "?"):
            raise ValueError(f"names no host: it must be {_FORMS}")
        return url

    @property
    def database(self) -> str:
        """The kind of database: one of DATABASES."""
        return self.url.partition("://")[0]

    @model_validator(mode="after")
    def _has_a_user(self) -> DatabaseSettings:
        if self.password is not None and self.username is None:
            raise ValueError("`password` requires `username`")
        return self


class SqlSettings(DatabaseSettings):
    """A table or a query of a database: each row is a record."""

    type: Literal["sql"]
    table: Label | None = Field(None, description="a table or view, with its schema if needed: public.log")
    query: str | None = Field(
        None, description="a SELECT with :start and :end, which are bound: WHERE ts >= :start AND ts < :end"
    )
    bounds: Bounds | None = Field(
        None,
        description="how :start and :end of a query are bound: instant (with zone), utc or local (timestamps without"
        " a zone), s to ns (numbers since 1970), excel or wincc (days); default: as the query's column of `ts`",
    )
    readings: ReadingsMapping = ReadingsMapping()

    @field_validator("query")
    @classmethod
    def _is_select(cls, query: str | None) -> str | None:
        if query is not None and (problem := problem_of_select(query)) is not None:
            raise ValueError(problem)
        return query

    @field_validator("readings")
    @classmethod
    def _is_of_rows(cls, readings: ReadingsMapping) -> ReadingsMapping:
        for key in _OF_MESSAGES:
            if getattr(readings, key):
                raise ValueError(f"`{key}` is for messages: a row of a table is a record")
        if readings.ts.paths or (readings.columns is not None and readings.columns.has("ts")):
            raise ValueError("`ts` must be one column, to which windows are compared: join several in a `query`")
        if readings.ts.unit not in ("iso", *get_args(Bounds)):
            raise ValueError(f"`unit: {readings.ts.unit}` is for files: convert the column in a `query`")
        if readings.ts.start is not None:
            raise ValueError("`start` is for files and messages: add it to the column in a `query`")
        if readings.ts.ambiguous == "order":
            raise ValueError("`ambiguous: order` is for files, since rows of a table have no order: first or second")
        if readings.format != "json":  # the default of mappings that are not of files
            raise ValueError("`format` is for files and messages: leave it out")
        return readings

    @model_validator(mode="after")
    def _is_one(self) -> SqlSettings:
        if (self.table is None) == (self.query is None):
            raise ValueError("needs either `table` or `query`")
        if self.bounds is not None and self.query is None:
            raise ValueError("`bounds` is for a `query`: those of a table follow from its column")
        return self

    def deciding(self) -> dict[str, Any]:
        """What decides how a row is read: neither where the server is nor how hard it is worked."""
        return self.model_dump(mode="json", include={"table", "query", "bounds", "readings"}, exclude_none=True)


SOURCE_TYPE = SourceType(
    "sql", SqlSettings, "eugenie_cli.sources.sql.reader:sql_importer", live="eugenie_cli.sources.sql.reader:sql_live"
)
