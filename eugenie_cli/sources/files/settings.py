"""Settings that sources of files share. Every command that opens a site imports this module: keep it light."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceSettings


class FileSettings(SourceSettings):
    """A source with an item for each file, or for each file in an archive."""

    of_files: ClassVar[bool] = True

    path: str = Field(
        description="a file or a pattern, such as exports/*.json or exports/*.zip/*.json; relative to the folder that"
        " holds site-configs/"
    )
    readings: ReadingsMapping = ReadingsMapping()


def of_table(readings: Any) -> Any:
    """The mapping of a table, in which every path is the name of a column."""
    return {"format": "csv", **readings} if isinstance(readings, dict) else readings
