"""The settings of a `json` source, and the type itself. Every command that opens a site imports this module: keep it
light.
"""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.sources.files.settings import FileSettings


class JsonSettings(FileSettings):
    """JSON files: lines, an array, or documents with an array of records (PI Web API)."""

    type: Literal["json"]

    @field_validator("readings")
    @classmethod
    def _is_json(cls, readings: ReadingsMapping) -> ReadingsMapping:
        if readings.format != "json":
            raise ValueError("the format of JSON files is json: leave `format` out")
        if readings.ts.start is not None and readings.ts.start.line is not None:
            raise ValueError("`start: {line: ...}` is for tables: take the start from the file's name, or a const")
        if readings.columns is not None:
            raise ValueError("`columns` is for tables: members of an object are found by paths")
        return readings


SOURCE_TYPE = SourceType("json", JsonSettings, "eugenie_cli.sources.json.importer:JsonImporter")
