"""The settings of an `mqtt` source, and the type itself. Every command that opens a site imports this module: keep it
light.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from typing_extensions import Self

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label, PositiveMs, StatusText
from eugenie_cli.site.mapping_parts import Part
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.source_bridge import BridgeSettings
from eugenie_cli.site.source_types import SourceSettings, SourceType
from eugenie_cli.sources.mqtt.topics import HEADER, TopicPattern, parse_topic

_URL = re.compile(r"mqtts?://(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(:\d{1,5})?/?")
_NAMES = ("{group}", "{node}", "{device}", "{metric}")


class MqttBridge(BridgeSettings):
    """How live readings reach the site's topic. A message is acknowledged when its readings are in Kafka or on disk."""

    patience: PositiveMs = Field(
        200,
        description="how long readings wait for Kafka before they are stored on disk; short, since a broker sends no"
        " more than `in_flight` messages ahead",
    )


class SparkplugSettings(Section):
    """Sparkplug B: which groups are read, and which tag or sensor a metric is.

    Patterns contain {group}, {node}, {device} and {metric}; a metric of the node itself has no device.
    """

    groups: tuple[Label, ...] = Field((), description="the groups that are read; default: all that the user may read")
    tag: Label | None = Field(
        None, description='the tag of a metric, such as "{device}/{metric}"; default: {group}/{node}/{device}/{metric}'
    )
    asset: Label | None = Field(None, description='instead of `tag`, with `sensor`: its asset, such as "{device}"')
    sensor: Label | None = Field(None, description='the sensor of `asset`, such as "{metric}"')
    host: Label | None = Field(
        None,
        description="id of the primary host application as which eugenie reports its state: nodes that are configured"
        " with it keep their readings while the bridge is down",
    )
    status: tuple[StatusText, ...] = Field((), description="texts and numbers that mean bad quality")

    @field_validator("groups")
    @classmethod
    def _is_level(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for group in groups:
            if any(sign in group for sign in "/+#"):
                raise ValueError(f"{group!r} is not the name of a group: /, + and # cannot be in it")
        return groups

    @field_validator("host")
    @classmethod
    def _is_id(cls, host: str | None) -> str | None:
        if host is not None and any(sign in host for sign in "/+#"):
            raise ValueError("/, + and # cannot be in it")
        return host

    @field_validator("tag", "asset", "sensor")
    @classmethod
    def _has_known_names(cls, pattern: str | None) -> str | None:
        for name in re.findall(r"\{[^}]*\}", pattern or ""):
            if name not in _NAMES:
                raise ValueError(f"{name} is unknown: use {', '.join(_NAMES)}")
        return pattern

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.asset is None) != (self.sensor is None):
            raise ValueError("`asset` and `sensor` belong together: give both, or `tag`")
        if self.asset is not None and self.tag is not None:
            raise ValueError("give either `tag`, or `asset` and `sensor`")
        for name in ("tag", "sensor"):
            if (pattern := getattr(self, name)) is not None and "{metric}" not in pattern:
                raise ValueError(f"`{name}` must contain {{metric}}: otherwise all metrics are the same")
        return self


class MqttSettings(SourceSettings):
    """A broker of MQTT: plain messages of `topics`, by a mapping, or Sparkplug B. Live only: MQTT has no history."""

    of_kafka: ClassVar[bool] = True
    live_only: ClassVar[bool] = True

    type: Literal["mqtt"]
    url: str = Field(description="mqtt://host:1883, or mqtts://host:8883 for TLS")
    username: str | None = None
    password: SecretStr | None = None
    ca: str | None = Field(None, description="PEM file of the certificate authority; default: the system's")
    certificate: str | None = Field(None, description="PEM file of eugenie's own certificate, if the broker wants one")
    key: str | None = Field(None, description="PEM file of its private key")
    client_id: Label | None = Field(
        None, description="by which the broker knows the session; default: eugenie-<site>-<source>"
    )
    version: Annotated[
        Literal["5", "3.1.1"], BeforeValidator(lambda given: str(given) if isinstance(given, int) else given)
    ] = Field("5", description="of the protocol; 3.1.1 for older brokers")
    keep_alive: PositiveMs = Field(
        30_000, description="how often the connection shows that it is there, if nothing is sent"
    )
    kept_for: PositiveMs = Field(
        7 * 86_400_000,
        description="how long the broker keeps messages for the bridge while it is away (MQTT 5; in 3.1.1 the broker"
        " decides)",
    )
    in_flight: Annotated[int, Field(ge=1, le=65_535)] = Field(
        5_000, description="messages that the broker sends before the first of them is acknowledged (MQTT 5)"
    )
    topics: tuple[Label, ...] = Field(
        (), description="such as plant/{asset}/{sensor}; {tag} is known too, + and # stand for anything"
    )
    readings: ReadingsMapping = Field(
        ReadingsMapping(),
        description="of the payloads. Instead of a Kafka record's key there is the topic, instead of its headers the"
        " user properties of MQTT 5, and its timestamp is the arrival at the bridge",
    )
    sparkplug: SparkplugSettings | None = Field(None, description="Sparkplug B, instead of `topics` and `readings`")
    bridge: MqttBridge = MqttBridge()

    @field_validator("url")
    @classmethod
    def _is_broker(cls, url: str) -> str:
        if _URL.fullmatch(url) is None:
            hint = ": give them as `username` and `password`" if "@" in url else ""
            raise ValueError(f"must be mqtt://host:1883 or mqtts://host:8883{hint}")
        return url

    @field_validator("topics")
    @classmethod
    def _are_patterns(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        parsed = [parse_topic(topic) for topic in topics]
        if len({frozenset(pattern.names) for pattern in parsed}) > 1:
            raise ValueError(
                "all topics of a source must name the same: {asset}, {sensor}, {tag}; use a source for each"
            )
        return topics

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.sparkplug is None) == (not self.topics):
            raise ValueError("needs either `topics` or `sparkplug`")
        if self.sparkplug is not None and "readings" in self.model_fields_set:
            raise ValueError("`readings` is for `topics`: Sparkplug B says itself what a value is")
        if self.password is not None and self.username is None:
            raise ValueError("`password` requires `username`")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` belong together: give both or neither")
        if self.url.startswith("mqtt:"):
            for name in ("ca", "certificate"):
                if getattr(self, name) is not None:
                    raise ValueError(f"`{name}` is for TLS: begin `url` with mqtts://")
        for name in self.named:
            if getattr(self.readings, name) is not None:
                raise ValueError(f"{{{name}}} is in `topics`, and `readings` says where it comes from, too: choose one")
        return self

    @property
    def patterns(self) -> list[TopicPattern]:
        return [parse_topic(topic) for topic in self.topics]

    @property
    def named(self) -> tuple[str, ...]:
        """What the topics name: of asset, sensor and tag."""
        return self.patterns[0].names if self.topics else ()

    @property
    def mapping(self) -> ReadingsMapping | None:
        """The mapping of payloads, with what the topics name as headers; None for Sparkplug B."""
        if self.sparkplug is not None:
            return None
        return self.readings.model_copy(update={name: Part(header=HEADER + name) for name in self.named})

    def mapping_to_check(self) -> ReadingsMapping | None:
        return self.mapping


SOURCE_TYPE = SourceType(
    "mqtt",
    MqttSettings,
    "eugenie_cli.sources.mqtt.importer:MqttImporter",
    live="eugenie_cli.sources.mqtt.subscriber:Subscriber",
    extra="mqtt",
)
