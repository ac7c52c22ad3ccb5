"""The settings of a `parquet` source, and the type itself. Every command that opens a site imports this module: keep it
light.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.sources.files.settings import FileSettings, of_table


class ParquetSettings(FileSettings):
    """Parquet and Arrow (Feather) files: data lakes, pandas, polars."""

    type: Literal["parquet"]
    readings: ReadingsMapping = ReadingsMapping(format="csv")

    @field_validator("readings", mode="before")
    @classmethod
    def _of_table(cls, readings: Any) -> Any:
        return of_table(readings)

    @field_validator("readings")
    @classmethod
    def _has_no_lines(cls, readings: ReadingsMapping) -> ReadingsMapping:
        for stated in (readings.ts.date, readings.ts.start):
            if stated is not None and stated.line is not None:
                raise ValueError("`line` is for text and sheets: take it from the file's name, or a const")
        return readings


SOURCE_TYPE = SourceType("parquet", ParquetSettings, "eugenie_cli.sources.parquet.importer:ParquetImporter")
