"""The settings of a `sqlite` source. Every command that opens such a site imports this module: keep it light."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eugenie_cli.site.field_types import Label
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceSettings, SourceType


class SqliteSettings(SourceSettings):
    """A table of a SQLite database: each row is a record."""

    type: Literal["sqlite"]
    path: str = Field(description="the database; relative to the folder that holds site-configs/")
    table: Label = "readings"
    batch: Annotated[int, Field(ge=1, description="rows in memory")] = 50_000
    readings: ReadingsMapping = ReadingsMapping()


SOURCE_TYPE = SourceType("sqlite", SqliteSettings, "eugenie_sqlite.importer:SqliteImporter")
