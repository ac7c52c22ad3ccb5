"""The section `kafka` of the site file, and what a client of the brokers needs of a site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from eugenie_cli.site.base import Section, resolved
from eugenie_cli.site.field_types import Name
from eugenie_cli.site.mapping_parts import Part, QualityPart
from eugenie_cli.site.readings_mapping import ReadingsMapping


class KafkaSecurity(Section):
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca: str | None = Field(None, description="PEM file of the certificate authority")


class Topics(Section):
    """Topic names; each default is `<site>.<name>`."""

    readings: Name | None = None
    anomalies: Name | None = None
    scores: Name | None = None
    dead_letters: Name | None = None


class Kafka(Section):
    bootstrap: str = Field("embedded", description="embedded, or host:port[,host:port...]")
    security: KafkaSecurity = KafkaSecurity.model_construct()
    topics: Topics = Topics.model_construct()
    partitions: Annotated[int, Field(ge=1, le=1000)] = 1
    readings: ReadingsMapping = ReadingsMapping(
        asset=Part(path="asset"),
        sensor=Part(path="sensor"),
        tag=Part(path="tag"),
        quality=QualityPart(path="quality"),
    )

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, given: Any) -> Any:
        """`kafka: embedded` is `kafka: {bootstrap: embedded}`."""
        return {"bootstrap": given} if isinstance(given, str) else given


@dataclass(frozen=True)
class KafkaAccess:
    """How a site's brokers are reached, and what its topics are called. `Site.kafka_access` gives it."""

    site: str
    """The site's name."""
    workspace: str | None
    """As in the site file: where the embedded broker's address is found."""
    base: Path
    kafka: Kafka
    topics: Topics
    """All four names, defaults filled in."""

    def resolve(self, path: str) -> Path:
        """A path of the site file, made absolute."""
        return resolved(self.base, path)
