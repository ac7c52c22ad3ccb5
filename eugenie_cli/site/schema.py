"""The site file as a typed, frozen model. One YAML file describes a site; nothing else configures eugenie.

Every duration is an int in milliseconds, whatever unit the file uses. Every instant is an aware datetime once
`load.load_site` has applied the site's time zone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from eugenie_cli.site.base import Section
from eugenie_cli.site.detectors import Detector, ModelSettings
from eugenie_cli.site.field_types import Delimiter, Instant, Label, Milliseconds, Name, PositiveMs, StatusText, ZoneName
from eugenie_cli.site.promotion import PromotionGate
from eugenie_cli.site.serving import Serving
from eugenie_cli.site.tracking import Tracking

# -- where readings come from ---------------------------------------------------------------------------


class Part(Section):
    """Where a record says something: at a path (a column, or `a.b.c` in JSON), a constant, a file's name."""

    path: Label | None = None
    const: Label | None = None
    file: Label | None = Field(None, description="a pattern over the file's name, e.g. 'valve1-{stem}' (imports only)")


class TimePart(Part):
    """A timestamp. Text is ISO 8601 unless `format` (strptime) says otherwise; numbers need a `unit`."""

    unit: Literal["iso", "s", "ms", "us", "ns", "excel"] = Field(
        "iso", description="iso: text; s to ns: since 1970; excel: days since 1899-12-30, local time"
    )
    format: str | None = Field(None, description="such as %d.%m.%Y %H:%M:%S or %m/%d/%Y %I:%M:%S %p")
    timezone: ZoneName | None = Field(None, description="of local times without an offset; default: the site's")


class ValuePart(Part):
    """A measured value. Text that is a number is taken; status text makes the reading bad."""

    decimal: Literal[".", ","] = "."
    status: tuple[StatusText, ...] = Field(
        (), description="texts, or numbers such as -9999, that mean bad quality, beside the well-known ones"
    )


class QualityPart(Part):
    """Data quality: numbers of OPC DA (and Sparkplug), OPC UA or Ignition, words (good / uncertain / bad), or true."""

    scheme: Literal["opcda", "opcua", "ignition", "words", "boolean"] = "words"


class SchemaRegistry(Section):
    """Where the schemas of Avro messages are: Confluent's, or one that answers as it does."""

    url: str = Field(description="http://host:port or https://..., with a path if it has one")
    username: str | None = None
    password: SecretStr | None = None
    ca: str | None = Field(None, description="PEM file of the certificate authority")


class ReadingsMapping(Section):
    """How a record of a source becomes readings. Used by imports and by the stream alike.

    `long`: one reading a record (asset and sensor, or a tag).
    `wide`: one record a time, a column a sensor or tag.
    """

    format: Literal["csv", "json", "avro"] = Field(
        "json", description="csv: of files; json, avro (after a byte 0 and the schema's number): of messages"
    )
    registry: SchemaRegistry | None = Field(None, description="avro: where the schemas are")
    shape: Literal["long", "wide"] = "long"
    records: Label | None = Field(
        None, description="where a message holds an array of records, e.g. values; '.': the message is the array"
    )
    ts: TimePart = TimePart(path="ts")
    asset: Part | None = None
    sensor: Part | None = None
    tag: Part | None = None
    value: ValuePart = ValuePart(path="value")
    quality: QualityPart | None = None
    ignore: tuple[Label, ...] = Field((), description="wide: columns that are not sensors, labels for example")


class CsvSource(Section):
    """CSV files: historian exports, data loggers."""

    name: Name
    type: Literal["csv"]
    path: str = Field(description="a file or a pattern; relative to the folder that holds site-configs/")
    delimiter: Delimiter = ","
    encoding: str = "utf-8"
    readings: ReadingsMapping = ReadingsMapping(format="csv")

    @field_validator("readings", mode="before")
    @classmethod
    def _is_csv(cls, readings: Any) -> Any:
        return {"format": "csv", **readings} if isinstance(readings, dict) else readings


Source = CsvSource


# -- the plant ------------------------------------------------------------------------------------------


class Period(Section):
    """A half-open interval [start, end)."""

    start: Instant
    end: Instant


class Exclusion(Period):
    """A period that must not be learnt from: of one asset, or of the whole site."""

    asset: Name | None = None
    reason: str | None = None


class Sensor(Section):
    """A measurement that every asset of the class has."""

    name: Label
    unit: str = ""
    low: float | None = Field(None, description="engineering limit: values below are bad quality")
    high: float | None = Field(None, description="engineering limit: values above are bad quality")
    role: Literal["auto", "scored", "context"] = Field("auto", description="context: model input that is not scored")


class Alarm(Section):
    """When scores become an anomaly. Delays are in rows."""

    budget: Annotated[float, Field(gt=0, lt=1, description="share of normal rows that may score above 1")] = 0.01
    on_delay: Annotated[int, Field(ge=1)] = 5
    off_delay: Annotated[int, Field(ge=1)] = 5
    cooldown: Annotated[int, Field(ge=0, description="rows after a close in which nothing opens")] = 0
    silence: Milliseconds | None = Field(
        None,
        description="without a scored row for this long an anomaly closes; default: max_gap + 10 steps",
    )


class Running(Section):
    """The machine runs while a sensor reads more than a value; rows in which it stands are not there."""

    sensor: Label
    above: float = Field(description="engineering units; a row without a value of the sensor counts as running")


class EquipmentClass(Section):
    """Assets with the same sensors. One model serves the class."""

    sensors: Annotated[tuple[Sensor, ...], Field(min_length=1)]
    step: PositiveMs = 1_000
    max_gap: PositiveMs = 5_000
    running: Running | None = Field(None, description="when rows count: left out, always")
    model: Detector = ModelSettings()
    alarm: Alarm = Alarm()
    promotion: PromotionGate | None = Field(None, description="what a new version must hold; default: nothing")

    @property
    def sensor_names(self) -> tuple[str, ...]:
        return tuple(sensor.name for sensor in self.sensors)

    @property
    def silence_ms(self) -> int:
        """How long an asset may be without a scored row before its open anomaly is closed."""
        return self.alarm.silence if self.alarm.silence is not None else self.max_gap + 10 * self.step


class Asset(Section):
    """One machine of a class."""

    class_name: Name = Field(alias="class")
    tags: dict[Label, Label] = Field(
        default_factory=dict, description="sensor -> the plant's tag; default: the sensor's own name"
    )
    normal: tuple[Period, ...] = ()


# -- engines --------------------------------------------------------------------------------------------


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
    security: KafkaSecurity = KafkaSecurity()
    topics: Topics = Topics()
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


class Stream(Section):
    """The Flink job."""

    flink: str = Field("embedded", description="embedded, or the JobManager's http://host:port")
    parallelism: Annotated[int, Field(ge=1, le=1024)] = 1
    out_of_orderness: Milliseconds = 2_000
    idle_timeout: PositiveMs = 10_000
    max_ahead: PositiveMs = Field(
        60_000, description="readings further ahead of their arrival are dead letters: a wrong clock ages all others"
    )
    checkpoint: PositiveMs = 10_000
    checkpoints: str | None = Field(
        None, description="a directory that all of Flink can write, as a URI; default: the cluster's own"
    )
    state: Literal["hashmap", "rocksdb"] = Field(
        "hashmap", description="hashmap: on the heap, faster; rocksdb: on disk, for more assets than fit into memory"
    )
    delivery: Literal["exactly-once", "at-least-once"] = "exactly-once"


class Engines(Section):
    """Ports and jars of what `eugenie up` starts; 0 takes any free port."""

    kafka_port: Annotated[int, Field(ge=0, le=65535)] = 0
    flink_port: Annotated[int, Field(ge=0, le=65535)] = 0
    mlflow_port: Annotated[int, Field(ge=0, le=65535)] = 0
    jars: str | None = Field(None, description="a folder of jars, for plants without internet")
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
    tracking: Tracking = Tracking()
    kafka: Kafka = Kafka()
    serving: Serving = Serving()
    stream: Stream = Stream()
    engines: Engines = Engines()

    # set by the loader, not by the file
    base: Path = Field(default=Path(), exclude=True, description="relative paths of the file start here")
    file: Path = Field(default=Path("site.yaml"), exclude=True)

    def assets_of(self, class_name: str) -> tuple[str, ...]:
        """Names of the class's assets, in the file's order."""
        return tuple(name for name, asset in self.assets.items() if asset.class_name == class_name)

    def resolve(self, path: str) -> Path:
        """A path of the file, made absolute: relative ones start at the folder that holds `site-configs/`."""
        return resolved(self.base, path)

    @property
    def topics(self) -> Topics:
        """All four topic names, defaults filled in."""
        given = self.kafka.topics
        return Topics(
            readings=given.readings or f"{self.site}.readings",
            anomalies=given.anomalies or f"{self.site}.anomalies",
            scores=given.scores or f"{self.site}.scores",
            dead_letters=given.dead_letters or f"{self.site}.dead-letters",
        )

    @property
    def experiment(self) -> str:
        return self.tracking.experiment or self.site


def resolved(base: Path, path: str) -> Path:
    """A path of a site file, made absolute: relative ones start at `base`."""
    return (base / Path(path).expanduser()).resolve()
