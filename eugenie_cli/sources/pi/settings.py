"""The settings of a `pi` source, and the type itself. Every command that opens a site with one imports this module:
keep it light.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from typing_extensions import Self

from eugenie_cli.site.field_types import HttpUrl, Label, Name
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.site.source_windows import WindowSettings


class PiSettings(WindowSettings):
    """A PI Data Archive behind a PI Web API. The tags of the site's assets are the names of its points."""

    type: Literal["pi"]
    url: HttpUrl = Field(description="https://host/piwebapi")
    server: Label = Field(description="name of the PI Data Archive")
    username: str | None = Field(None, description="of basic authentication; default: Kerberos, as the current user")
    password: SecretStr | None = None
    ca: str | None = Field(None, description="PEM file of the certificate authority")
    point: Label = Field("{tag}", description="name of the point of a tag, such as NORTH.{tag}")
    assets: tuple[Name, ...] = Field((), description="the assets that this archive has; default: all")
    missing: Literal["refuse", "skip"] = Field("refuse", description="what to do if the archive lacks a point")
    points_per_call: int = Field(20, ge=1, le=200, description="points in a query")
    values_per_call: int = Field(
        150_000, ge=1_000, le=1_000_000, description="values of a point in a query: at most what the server allows"
    )
    readings: ReadingsMapping = Field(
        ReadingsMapping.model_validate(
            {
                "ts": {"path": "time"},
                "tag": {"path": "tag"},
                "value": {"path": ["code", "value"]},
                "quality": {"path": "good", "scheme": "boolean"},
            }
        ),
        description="of records with time, tag, value (a number, or the name of a state), code (of a state), good and"
        " questionable",
    )

    @field_validator("point")
    @classmethod
    def _has_tag(cls, point: str) -> str:
        if "{tag}" not in point:
            raise ValueError("must contain {tag}")
        return point

    @field_validator("readings", mode="before")
    @classmethod
    def _columns(cls, readings: Any) -> Any:
        """Defaults for the parts that are not given. States are their codes, unless `map` gives them numbers."""
        if not isinstance(readings, dict):
            return readings
        value = readings.get("value") or {}
        path: Any = "value" if isinstance(value, dict) and value.get("map") else ["code", "value"]
        return {
            "ts": {"path": "time"},
            "tag": {"path": "tag"},
            "quality": {"path": "good", "scheme": "boolean"},
            **readings,
            "value": {"path": path, **value} if isinstance(value, dict) else value,
        }

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: give both or neither")
        return self


SOURCE_TYPE = SourceType("pi", PiSettings, "eugenie_cli.sources.pi.reader:pi_importer")
