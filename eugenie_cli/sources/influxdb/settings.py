"""The settings of an `influxdb` source, and the type itself. Every command that opens a site with one imports this
module: keep it light.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from typing_extensions import Self

from eugenie_cli.site.field_types import HttpUrl, Label
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.site.source_windows import WindowSettings

_NUMBERS = {"1": 1, "2": 2, "3": 3}
"""A site file's numbers come as text, which is no literal number."""


class InfluxSettings(WindowSettings):
    """Series of an InfluxDB database, or of a bucket of release 2 that can be queried as one."""

    type: Literal["influxdb"]
    url: HttpUrl = Field(description="http://host:8086 or https://...")
    version: Annotated[Literal[1, 2, 3], BeforeValidator(lambda given: _NUMBERS.get(given, given))] = Field(
        1,
        description="3: queries are SQL over Arrow Flight; default: InfluxQL over HTTP, which all releases understand",
    )
    database: Label = Field(description="the database; in release 2 the bucket (a DBRP mapping makes it a database)")
    policy: Label | None = Field(None, description="retention policy; default: the database's own")
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = Field(None, description="of releases 2 and 3, instead of user name and password")
    ca: str | None = Field(None, description="PEM file of the certificate authority")
    measurements: tuple[Label, ...] = Field(min_length=1, description="their names")
    fields: tuple[Label, ...] = Field((), description="their fields; default: all")
    where: dict[Label, Label] = Field({}, description="only series with these tags, such as plant: north")
    records: Literal["field", "point"] = Field(
        "field",
        description="a record is the value of a field (columns time, measurement, field, value and the series' tags),"
        " or a point (time, measurement, the tags, and a column for each field)",
    )
    readings: ReadingsMapping

    @field_validator("readings", mode="before")
    @classmethod
    def _columns(cls, readings: Any) -> Any:
        if not isinstance(readings, dict):
            return readings
        value = readings.get("value") or {}
        of_value = {"path": "value", **value} if isinstance(value, dict) else value
        return {"ts": {"path": "time"}, **readings, "value": of_value}

    @model_validator(mode="after")
    def _is_of_its_version(self) -> Self:
        if self.version == 3 and self.policy is not None:
            raise ValueError("`policy` is of releases 1 and 2: release 3 has no retention policies")
        if self.version == 3 and self.username is not None:
            raise ValueError("`username` is of releases 1 and 2: release 3 takes a `token`")
        return self

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.token is not None and self.username is not None:
            raise ValueError("`token` conflicts with `username`: give only one of them")
        if self.password is not None and self.username is None:
            raise ValueError("`password` requires `username`")
        return self


SOURCE_TYPE = SourceType("influxdb", InfluxSettings, "eugenie_cli.sources.influxdb.reader:influx_importer")
