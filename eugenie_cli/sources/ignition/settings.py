"""The settings of an `ignition` source, and the type itself. Every command that opens a site imports this module: keep
it light.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from eugenie_cli.site.field_types import Label
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.sources.sql.settings import DatabaseSettings


class IgnitionSettings(DatabaseSettings):
    """The database to which Ignition's tag historian writes. Tag paths are the `tags` of assets, in any case."""

    type: Literal["ignition"]
    driver: Label | None = Field(
        None, description="the gateway whose history is read, as sqlth_drv names it, if several write to the database"
    )
    schema_name: Label | None = Field(None, description="the schema of Ignition's tables; default: the user's")

    def deciding(self) -> dict[str, Any]:
        """What decides how a row is read."""
        return self.model_dump(mode="json", include={"driver", "schema_name"}, exclude_none=True)


SOURCE_TYPE = SourceType(
    "ignition",
    IgnitionSettings,
    "eugenie_cli.sources.ignition.reader:ignition_importer",
    live="eugenie_cli.sources.ignition.reader:ignition_live",
)
