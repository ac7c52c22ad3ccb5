"""The settings of a `csv` source, and the type itself. Every command that opens a site imports this module: keep it
light.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from eugenie_cli.site.field_types import Delimiter
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceSettings, SourceType


class CsvSettings(SourceSettings):
    """CSV files: historian exports, data loggers."""

    of_files: ClassVar[bool] = True

    type: Literal["csv"]
    path: str = Field(description="a file or a pattern; relative to the folder that holds site-configs/")
    delimiter: Delimiter = ","
    encoding: str = "utf-8"
    readings: ReadingsMapping = ReadingsMapping(format="csv")

    @field_validator("readings", mode="before")
    @classmethod
    def _is_csv(cls, readings: Any) -> Any:
        return {"format": "csv", **readings} if isinstance(readings, dict) else readings


SOURCE_TYPE = SourceType("csv", CsvSettings, "eugenie_cli.sources.csv.importer:CsvImporter")
