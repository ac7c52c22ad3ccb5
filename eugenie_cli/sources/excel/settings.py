"""The settings of an `excel` source, and the type itself. Every command that opens a site imports this module: keep it
light.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictInt, field_validator

from eugenie_cli.site.field_types import Label
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.sources.files.settings import FileSettings, of_table

_Row = Annotated[int, Field(ge=1, le=1_048_576)]


def _listed(given: Any) -> Any:
    """A single row is a list of one."""
    return (given,) if isinstance(given, int | str) else given


class ExcelSettings(FileSettings):
    """Workbooks: .xlsx, .xlsm, .xlsb, .xls and .ods."""

    type: Literal["excel"]
    sheet: Annotated[StrictInt, Field(ge=1)] | Label | None = Field(
        None,
        description="name of the sheet, or its number from 1; default: the only one with the columns of the mapping",
    )
    header: Annotated[tuple[_Row, ...], BeforeValidator(_listed)] | None = Field(
        None,
        min_length=1,
        max_length=8,
        description="the row that names the columns, by its number in the sheet; several rows ([3, 4]) are joined by"
        " blanks; default: the first one with the columns of the mapping",
    )
    readings: ReadingsMapping = ReadingsMapping(format="csv")

    @field_validator("header")
    @classmethod
    def _rises(cls, header: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if header is not None and list(header) != sorted(set(header)):
            raise ValueError("name each row once, from top to bottom, such as [3, 4]")
        return header

    @field_validator("readings", mode="before")
    @classmethod
    def _of_table(cls, readings: Any) -> Any:
        return of_table(readings)


SOURCE_TYPE = SourceType("excel", ExcelSettings, "eugenie_cli.sources.excel.importer:ExcelImporter")
