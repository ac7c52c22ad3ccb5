"""Checks that the settings of MLflow, Kafka, Flink and the model server are consistent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eugenie_cli.site.checks.mapping import check_mapping
from eugenie_cli.site.checks.tls import check_tls
from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.kafka import Kafka
from eugenie_cli.site.partial import Parts
from eugenie_cli.site.schema import Engines, Serving, Stream
from eugenie_cli.site.tracking import check_tracking

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/,\[\]]+):(\d{1,5})")
# Kafka brokers refuse longer transactions (transaction.max.timeout.ms), and a transaction lasts for a checkpoint.
MAX_TRANSACTION_MS = 900_000


def check_engines(parts: Parts) -> Iterator[tuple[Path, str]]:
    """Problems of the sections tracking, kafka, serving, stream and engines: (path, message)."""
    if parts.tracking is not None:
        yield from check_tracking(parts.tracking)
    if parts.kafka is not None:
        yield from _kafka(parts.kafka, parts.name)
    if parts.serving is not None and parts.serving.address is not None and not _is_address(parts.serving.address):
        yield ("serving", "address"), "must be host:port"
    if parts.serving is not None:
        yield from check_tls(parts.serving)
    if parts.stream is not None:
        yield from _stream(parts.stream)
    if parts.engines is not None:
        yield from _ports(parts.engines, parts.serving)


def _kafka(kafka: Kafka, site: str) -> Iterator[tuple[Path, str]]:
    embedded = kafka.bootstrap == "embedded"
    if not embedded and not all(_is_address(address.strip()) for address in kafka.bootstrap.split(",")):
        yield ("kafka", "bootstrap"), "must be embedded, or host:port[,host:port...]"
    security, at = kafka.security, ("kafka", "security")
    if embedded and security.protocol != "PLAINTEXT":
        yield (
            (*at, "protocol"),
            "the embedded broker accepts connections from this machine only, without security: leave this out",
        )
    sasl = security.protocol.startswith("SASL")
    for key in ("mechanism", "username", "password"):
        given = getattr(security, key) is not None
        if sasl and not given:
            yield (*at, key), f"is required by {security.protocol}"
        elif given and not sasl:
            yield (*at, key), f"is for SASL_PLAINTEXT and SASL_SSL, not for {security.protocol}"
    if security.ca is not None and not security.protocol.endswith("SSL"):
        yield (*at, "ca"), f"is for SSL and SASL_SSL, not for {security.protocol}"
    yield from _topics(kafka, site)
    for path, message in check_mapping(kafka.readings, of_file=False, of_kafka=True):
        yield ("kafka", "readings", *path), message


def _topics(kafka: Kafka, site: str) -> Iterator[tuple[Path, str]]:
    owners: dict[str, str] = {}
    for key in ("readings", "anomalies", "scores", "dead_letters"):
        topic = getattr(kafka.topics, key) or f"{site}.{key.replace('_', '-')}"
        other = owners.setdefault(topic, key)
        if other != key:
            at = key if getattr(kafka.topics, key) else other
            yield (
                ("kafka", "topics", at),
                f"{other} and {key} are both {topic}: each needs a topic of its own",
            )


def _stream(stream: Stream) -> Iterator[tuple[Path, str]]:
    if stream.flink != "embedded" and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", stream.flink):
        yield ("stream", "flink"), "must be embedded, or the JobManager's http://host:port"
    if stream.delivery == "exactly-once" and stream.checkpoint >= MAX_TRANSACTION_MS:
        yield (
            ("stream", "checkpoint"),
            "must be shorter than 15m with exactly-once: brokers abort longer transactions",
        )


def _ports(engines: Engines, serving: Serving | None) -> Iterator[tuple[Path, str]]:
    owners: dict[int, str] = {}
    if serving is not None and serving.address is None and serving.port:
        owners[serving.port] = "serving.port"
    for key in ("kafka_port", "flink_port", "mlflow_port"):
        port = getattr(engines, key)
        if port and owners.setdefault(port, f"engines.{key}") != f"engines.{key}":
            yield ("engines", key), f"{port} is the port of {owners[port]} too"


def _is_address(text: str) -> bool:
    match = _HOST_PORT.fullmatch(text)
    return match is not None and 0 < int(match[2]) < 65_536
