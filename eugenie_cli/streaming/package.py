"""The package that is sent to Flink: the job's Python code as a zip, and the site as a job specification."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import eugenie_cli
from eugenie_cli.broker import client
from eugenie_cli.engines import endpoints
from eugenie_cli.errors import EugenieError
from eugenie_cli.flink_job.spec import AssetSpec, ClassSpec, JobSpec, KafkaSpec
from eugenie_cli.serving.tls import credentials_of
from eugenie_cli.site.kafka import KafkaSecurity
from eugenie_cli.site.message_mapping import message_mapping
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import reveal

SHIPPED = ("flink_job", "readings", "episodes", "tfserving")
"""Packages that make up the job. They import nothing else from eugenie."""


@dataclass(frozen=True)
class JobPackage:
    """The files of one submission, in their own folder."""

    entry: Path
    code: Path
    spec: Path


def job_spec(site: Site, start: str, partitions: int = 1, start_ms: int | None = None) -> JobSpec:
    """The site, reduced to what the job needs. Raises EugenieError for a mapping that the stream cannot read.

    `start` and `start_ms` (with "timestamp"): where reading begins without a savepoint.
    `partitions`: of the readings topic. The anomalies topic is assumed to have the number in the site file.
    """
    try:  # the schema registry's password is in the mapping: only its owner can read the job's file
        mapping = message_mapping(site.kafka.readings, site.timezone, site.resolve)
    except ValueError as error:
        raise EugenieError(f"{site.file}: kafka.readings.{error}", "see docs/readings.md") from None
    topics = site.topics
    socket = endpoints.model_socket(site)
    classes = tuple(
        ClassSpec(
            name=name,
            sensors=equipment.sensor_names,
            units=tuple(sensor.unit for sensor in equipment.sensors),
            low=tuple(sensor.low for sensor in equipment.sensors),
            high=tuple(sensor.high for sensor in equipment.sensors),
            step_ms=equipment.step,
            max_gap_ms=equipment.max_gap,
            window=equipment.model.window,
            on_delay=equipment.alarm.on_delay,
            off_delay=equipment.alarm.off_delay,
            cooldown=equipment.alarm.cooldown,
            silence_ms=equipment.silence_ms,
            model=name,
        )
        for name, equipment in site.classes.items()
        if site.assets_of(name)
    )
    return JobSpec(
        site=site.site,
        timezone=site.timezone,
        mapping=mapping,
        classes=classes,
        assets=tuple(AssetSpec(name, asset.class_name, dict(asset.tags)) for name, asset in site.assets.items()),
        kafka=KafkaSpec(
            readings=str(topics.readings),
            anomalies=str(topics.anomalies),
            scores=str(topics.scores),
            dead_letters=str(topics.dead_letters),
            properties=_java_properties(site),
        ),
        # on one machine, job and model server talk over a Unix socket instead of TCP
        model_server=socket or endpoints.model_server(site),
        model_server_tls=None if socket else credentials_of(site),
        parallelism=site.stream.parallelism,
        out_of_orderness_ms=site.stream.out_of_orderness,
        idle_timeout_ms=site.stream.idle_timeout,
        max_ahead_ms=site.stream.max_ahead,
        unknown=site.stream.unknown,
        checkpoint_ms=site.stream.checkpoint,
        delivery=site.stream.delivery,
        checkpoints=site.stream.checkpoints,
        state=site.stream.state,
        start=start,
        start_ms=start_ms,
        partitions=partitions,
        anomaly_partitions=site.kafka.partitions,
    )


def write(spec: JobSpec, folder: Path) -> JobPackage:
    """Write the package into `folder`, replacing its content."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    package = JobPackage(folder / "job.py", folder / "eugenie_job.zip", folder / "job.json")
    source = Path(eugenie_cli.__file__).parent
    shutil.copyfile(source / "flink_job" / "job.py", package.entry)
    with zipfile.ZipFile(package.code, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _shipped_files(source):
            archive.write(file, Path(source.name) / file.relative_to(source))
    spec.save(package.spec)
    return package


def code_digest() -> str:
    """SHA-256 of the job's program as this version of eugenie ships it."""
    source = Path(eugenie_cli.__file__).parent
    digest = hashlib.sha256()
    for file in _shipped_files(source):
        digest.update(str(file.relative_to(source)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _shipped_files(source: Path) -> list[Path]:
    return [source / "__init__.py", *(file for name in SHIPPED for file in sorted((source / name).rglob("*.py")))]


def _java_properties(site: Site) -> dict[str, str]:
    """The site's Kafka connection as properties of the Java client."""
    security = site.kafka.security
    properties = {
        "bootstrap.servers": client.addresses(site.kafka_access),
        # with `rebootstrap`, while no broker is reachable, the client returns to the bootstrap servers in every turn of
        # its loop and logs it, thousands of times a second. A job that lost its brokers for good is restarted anyway
        "metadata.recovery.strategy": "none",
    }
    if security.protocol != "PLAINTEXT":
        properties["security.protocol"] = security.protocol
    if security.ca is not None:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(site.resolve(security.ca))}
    if security.mechanism is not None:
        password = reveal(security.password) if security.password is not None else ""
        properties |= {"sasl.mechanism": security.mechanism, "sasl.jaas.config": jaas(security, _quoted(password))}
    return properties


def jaas(security: KafkaSecurity, password: str) -> str:
    """The JAAS entry for the connector's shaded copy of the Java client. `password` is already quoted."""
    module = "plain.PlainLoginModule" if security.mechanism == "PLAIN" else "scram.ScramLoginModule"
    return (
        f"org.apache.flink.kafka.shaded.org.apache.kafka.common.security.{module} required"
        f' username="{_quoted(security.username or "")}" password="{password}";'
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
