"""The readings topic as a table: raw payloads with partition and offset, nothing parsed."""

from __future__ import annotations

from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.sql import literal, options_clause
from eugenie_cli.readings.kafka_record import RecordParts

SOURCE = "source"

_KEYED = {
    "key.format": "raw",
    "key.fields": "record_key",
    "value.format": "raw",
    "value.fields-include": "EXCEPT_KEY",
}


def source_table(spec: JobSpec) -> str:
    """SQL of the table: `payload BYTES`, `partition`, `offset`, and `sent`, the record's timestamp in Kafka.

    Also `record_key BYTES` and `headers`, if the mapping of readings takes something from them.
    """
    parts = RecordParts.of(spec.mapping)
    options = {
        "connector": "kafka",
        "topic": spec.kafka.readings,
        **(_KEYED if parts.key else {"format": "raw"}),
        "properties.group.id": spec.group,
        "scan.topic-partition-discovery.interval": "60 s",
        "properties.isolation.level": "read_committed",
        **startup(spec),
        **{f"properties.{key}": value for key, value in spec.kafka.properties.items()},
    }
    around = "record_key BYTES,\n  " if parts.key else ""
    around += "headers MAP<STRING, BYTES> METADATA VIRTUAL,\n  " if parts.headers else ""
    return f"""
CREATE TEMPORARY TABLE {SOURCE} (
  payload BYTES,
  {around}`partition` INT METADATA VIRTUAL,
  `offset` BIGINT METADATA VIRTUAL,
  sent TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL
) WITH ({options_clause(options)})"""


def raw_parts(spec: JobSpec) -> list[str]:
    """SQL expressions of the columns that `RecordParts.members` takes, in its order: the key, then each header."""
    parts = RecordParts.of(spec.mapping)
    return [*(["record_key"] if parts.key else []), *(f"headers[{literal(name)}]" for name in parts.headers)]


def startup(spec: JobSpec) -> dict[str, str]:
    """Options of the table: where a job without a savepoint begins.

    At offsets whenever they are known: a partition that is silent at first keeps its start through every restart, and a
    partition whose offset retention removes continues with the first remaining record, not after the last.
    """
    if spec.start_offsets:
        offsets = ";".join(f"partition:{number},offset:{offset}" for number, offset in spec.start_offsets.items())
        return {"scan.startup.mode": "specific-offsets", "scan.startup.specific-offsets": offsets}
    if spec.start == "timestamp":
        return {"scan.startup.mode": "timestamp", "scan.startup.timestamp-millis": str(spec.start_ms)}
    if spec.start == "auto":
        # the offsets that the checkpoints of the site's last job committed; a first job reads the whole topic
        return {"scan.startup.mode": "group-offsets", "properties.auto.offset.reset": "earliest"}
    return {"scan.startup.mode": f"{spec.start}-offset"}
