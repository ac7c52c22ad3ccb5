"""The settings of a `kafka` source, and the type itself. Every command that opens a site with one imports this module:
keep it light.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from eugenie_cli.site.field_types import Name
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_types import SourceSettings, SourceType


class KafkaSourceSettings(SourceSettings):
    """A topic of the site's brokers, as far as its retention reaches back."""

    of_kafka: ClassVar[bool] = True

    type: Literal["kafka"]
    topic: Name | None = Field(None, description="default: the site's topic of readings, or that of its dead letters")
    dead_letters: bool = Field(
        False, description="the topic holds dead letters of the site's stream: late readings are imported from them"
    )
    readings: ReadingsMapping | None = Field(None, description="default: `kafka.readings`, as in the stream")

    @model_validator(mode="after")
    def _letters_have_a_mapping(self) -> Self:
        if self.dead_letters and self.readings is not None:
            raise ValueError("`readings` cannot be set with `dead_letters`: letters are read as `kafka.readings` says")
        return self


SOURCE_TYPE = SourceType("kafka", KafkaSourceSettings, "eugenie_cli.sources.kafka.importer:KafkaImporter")
