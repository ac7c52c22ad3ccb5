"""The settings of a `csv` source, and the type itself. Every command that opens a site imports this module: keep it
light.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from eugenie_cli.site.field_types import BLANKS, Delimiter
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.sources.csv.table_settings import Table
from eugenie_cli.sources.files.settings import FileSettings


class CsvSettings(FileSettings):
    """CSV files: historian exports, data loggers."""

    type: Literal["csv"]
    delimiter: Delimiter = Field(",", description='one character, such as ";" or "\\t"; blanks: any number of blanks')
    encoding: str = "utf-8"
    table: Table | None = Field(None, description="where the table is, if the first line is not its header")
    readings: ReadingsMapping = ReadingsMapping(format="csv")

    @field_validator("readings", mode="before")
    @classmethod
    def _is_csv(cls, readings: Any) -> Any:
        return {"format": "csv", **readings} if isinstance(readings, dict) else readings

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what older releases did not have: otherwise an unchanged source would count as changed."""
        dumped: dict[str, Any] = dump(self)
        return {key: value for key, value in dumped.items() if key != "table" or value is not None}

    @property
    def separator(self) -> str:
        """The character between the fields, after blanks were replaced by it."""
        return "\t" if self.delimiter == BLANKS else self.delimiter


SOURCE_TYPE = SourceType("csv", CsvSettings, "eugenie_cli.sources.csv.importer:CsvImporter")
