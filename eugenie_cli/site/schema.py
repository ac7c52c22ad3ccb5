"""The typed, frozen schema of the site file. One YAML file describes a site; nothing else configures eugenie.

Every duration is an int in milliseconds, regardless of the unit in the file. Every instant is an aware datetime after
`load.load_site` has applied the site's time zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from eugenie_cli.detection.alarm_policy import AlarmPolicy
from eugenie_cli.site.alarm_settings import Alarm
from eugenie_cli.site.base import Section, resolved
from eugenie_cli.site.detectors import AutoSettings, Detector
from eugenie_cli.site.field_types import Instant, Label, Milliseconds, Name, PositiveMs, ZoneName
from eugenie_cli.site.kafka import Kafka, KafkaAccess, Topics
from eugenie_cli.site.mapping_parts import ANY_SENSOR
from eugenie_cli.site.names import named
from eugenie_cli.site.promotion import PromotionGate
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.serving import Serving
from eugenie_cli.site.source_union import Source
from eugenie_cli.site.tracking import Tracking

# -- the plant ------------------------------------------------------------------------------------------


class Period(Section):
    """A half-open interval [start, end)."""

    start: Instant
    end: Instant


class Exclusion(Period):
    """A period excluded from training, for one asset or for the whole site."""

    asset: Name | None = None
    reason: str | None = None


class Sensor(Section):
    """A measured quantity of every asset of the class."""

    name: Label
    unit: str = ""
    low: float | None = Field(None, description="engineering limit: values below it have bad quality")
    high: float | None = Field(None, description="engineering limit: values above it have bad quality")
    role: Literal["auto", "scored", "context"] = Field("auto", description="context: model input that is not scored")


class Running(Section):
    """The asset is running while a sensor exceeds a value; rows recorded while it is stopped are excluded."""

    sensor: Label
    above: float = Field(description="in engineering units; a row without a value of the sensor counts as running")


class EquipmentClass(Section):
    """Assets with the same sensors, which share one model."""

    sensors: Annotated[tuple[Sensor, ...], Field(min_length=1)]
    step: PositiveMs = 1_000
    max_gap: PositiveMs = 5_000
    running: Running | None = Field(None, description="when the asset is running; default: always")
    model: Detector = AutoSettings.model_construct()
    alarm: Alarm = Alarm.model_construct()
    promotion: PromotionGate | None = Field(None, description="conditions for a new version; default: none")

    @property
    def sensor_names(self) -> tuple[str, ...]:
        return tuple(sensor.name for sensor in self.sensors)

    @property
    def alarm_policy(self) -> AlarmPolicy:
        """What thresholds are set by."""
        alarm = self.alarm
        return AlarmPolicy(alarm.budget, alarm.on_delay, alarm.off_delay, self.step, self.silence_ms)

    @property
    def silence_ms(self) -> int:
        """Milliseconds without a scored row after which an asset's open anomaly is closed."""
        return self.alarm.silence if self.alarm.silence is not None else self.max_gap + 10 * self.step


class Asset(Section):
    """One machine of a class."""

    class_name: Name = Field(alias="class")
    tags: dict[Label, Label] = Field(
        default_factory=dict, description="sensor -> the plant's tag; default: the sensor's own name"
    )
    normal: tuple[Period, ...] = ()


@dataclass(frozen=True)
class Fleet:
    """An equipment class and the site's assets of it: what one model learns from and judges. `Site.fleet` gives it."""

    site_name: str
    file: Path
    """The site file, for messages."""
    timezone: str
    name: str
    """The class's."""
    equipment: EquipmentClass
    assets: Mapping[str, Asset]
    """By name, in the file's order."""
    exclude: tuple[Exclusion, ...] = ()

    def asset_named(self, name: str) -> Asset:
        """The asset of that name. Raises EugenieError (USAGE) that names some of the class's assets."""
        return named("asset", name, self.assets, self.site_name)

    def only(self, names: Iterable[str]) -> Fleet:
        """The same class with these of its assets."""
        return replace(self, assets={name: self.assets[name] for name in names})


# -- engines --------------------------------------------------------------------------------------------


class Stream(Section):
    """The Flink job."""

    flink: str = Field("embedded", description="embedded, or the JobManager's http://host:port")
    parallelism: Annotated[int, Field(ge=1, le=1024)] = 1
    out_of_orderness: Milliseconds = Field(
        2_000, description="how far a reading may be behind its asset's newest one, or the clock, without being late"
    )
    idle_timeout: PositiveMs = Field(
        10_000, description="a partition that is silent for longer does not keep silent assets waiting"
    )
    max_ahead: PositiveMs = Field(
        60_000, description="readings further ahead of their arrival become dead letters: later ones would be late"
    )
    unknown: Literal["count", "ignore"] = Field(
        "count",
        description="readings of tags that the site does not have; count: dead letters, grouped if there are many tags;"
        " ignore: only counted by `stream status`, for brokers that carry other plants' tags",
    )
    checkpoint: PositiveMs = 10_000
    checkpoints: str | None = Field(
        None, description="URI of a directory that all Flink processes can write; default: the cluster's own"
    )
    state: Literal["hashmap", "rocksdb"] = Field(
        "hashmap", description="hashmap: on the heap, faster; rocksdb: on disk, for state larger than memory"
    )
    delivery: Literal["exactly-once", "at-least-once"] = "exactly-once"


class Engines(Section):
    """Ports and jars of the engines that `eugenie up` starts; 0: any free port."""

    kafka_port: Annotated[int, Field(ge=0, le=65535)] = 0
    flink_port: Annotated[int, Field(ge=0, le=65535)] = 0
    mlflow_port: Annotated[int, Field(ge=0, le=65535)] = 0
    jars: str | None = Field(None, description="a folder of jars, for plants without internet access")
    kafka_heap: str = "512m"
    taskmanager_memory: str = "1600m"
    slots: Annotated[int, Field(ge=1, le=256)] = 4


class Site(Section):
    """A whole site file."""

    site: Name
    timezone: ZoneName = "UTC"
    workspace: str | None = Field(None, description="default: .eugenie/<site>")
    sources: tuple[Source, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    classes: Annotated[dict[Name, EquipmentClass], Field(min_length=1)]
    assets: Annotated[dict[Name, Asset], Field(min_length=1)]
    tracking: Tracking = Tracking.model_construct()
    kafka: Kafka = Kafka.model_construct()
    serving: Serving = Serving.model_construct()
    stream: Stream = Stream.model_construct()
    engines: Engines = Engines.model_construct()

    # set by the loader, not by the file
    base: Path = Field(default=Path(), exclude=True, description="relative paths of the file start here")
    file: Path = Field(default=Path("site.yaml"), exclude=True)

    @model_validator(mode="after")
    def _units_of_classes(self) -> Site:
        """Tell mappings that convert units what to convert to."""
        for owner in (*self.sources, self.kafka):
            readings = getattr(owner, "readings", None)
            if isinstance(readings, ReadingsMapping) and (units := readings.value.units):
                targets = {
                    name: {
                        sensor.name: sensor.unit
                        for sensor in equipment.sensors
                        if ANY_SENSOR in units or sensor.name in units
                    }
                    for name, equipment in self.classes.items()
                }
                readings.value.convert_to({name: sensors for name, sensors in targets.items() if sensors})
        return self

    def class_named(self, name: str) -> EquipmentClass:
        """The class with that name. Raises EugenieError (USAGE), listing the site's classes."""
        return named("class", name, self.classes, self.site)

    def asset_named(self, name: str) -> Asset:
        """The asset with that name. Raises EugenieError (USAGE), listing some of the site's assets."""
        return named("asset", name, self.assets, self.site)

    def classes_named(self, names: Iterable[str] | None) -> tuple[str, ...]:
        """The named classes, without repetitions, or all of the site if no name is given. Raises as `class_named`."""
        chosen = dict.fromkeys(names or self.classes)
        for name in chosen:
            self.class_named(name)
        return tuple(chosen)

    def assets_named(self, names: Iterable[str] | None) -> tuple[str, ...]:
        """The named assets, without repetitions, or all of the site if no name is given. Raises as `asset_named`."""
        chosen = dict.fromkeys(names or self.assets)
        for name in chosen:
            self.asset_named(name)
        return tuple(chosen)

    def assets_of(self, class_name: str) -> tuple[str, ...]:
        """Names of the class's assets, in the file's order."""
        return tuple(name for name, asset in self.assets.items() if asset.class_name == class_name)

    def fleet(self, class_name: str) -> Fleet:
        """A class with its assets. Raises as `class_named`."""
        equipment = self.class_named(class_name)
        assets = {name: self.assets[name] for name in self.assets_of(class_name)}
        return Fleet(self.site, self.file, self.timezone, class_name, equipment, assets, self.exclude)

    def resolve(self, path: str) -> Path:
        """A path of the file as an absolute path; relative ones start at the parent of `site-configs/`."""
        return resolved(self.base, path)

    @property
    def topics(self) -> Topics:
        """All four topic names, with defaults."""
        given = self.kafka.topics
        return Topics(
            readings=given.readings or f"{self.site}.readings",
            anomalies=given.anomalies or f"{self.site}.anomalies",
            scores=given.scores or f"{self.site}.scores",
            dead_letters=given.dead_letters or f"{self.site}.dead-letters",
        )

    @property
    def kafka_access(self) -> KafkaAccess:
        """What a client of the site's brokers needs."""
        return KafkaAccess(self.site, self.workspace, self.base, self.kafka, self.topics)

    @property
    def experiment(self) -> str:
        return self.tracking.experiment or self.site
