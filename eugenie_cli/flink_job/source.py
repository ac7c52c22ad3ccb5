"""The readings topic as a table: raw payloads with partition and offset, nothing parsed."""

from __future__ import annotations

from eugenie_cli.flink_job.spec import JobSpec, consumer_group
from eugenie_cli.flink_job.sql import options_clause

SOURCE = "source"


def source_table(spec: JobSpec) -> str:
    """SQL of the table: `payload BYTES`, `partition`, `offset`, and `sent`, the record's timestamp in Kafka."""
    options = {
        "connector": "kafka",
        "topic": spec.kafka.readings,
        "format": "raw",
        "properties.group.id": consumer_group(spec.site),
        "scan.topic-partition-discovery.interval": "60 s",
        "properties.isolation.level": "read_committed",
        **startup(spec),
        **{f"properties.{key}": value for key, value in spec.kafka.properties.items()},
    }
    return f"""
CREATE TEMPORARY TABLE {SOURCE} (
  payload BYTES,
  `partition` INT METADATA VIRTUAL,
  `offset` BIGINT METADATA VIRTUAL,
  sent TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL
) WITH ({options_clause(options)})"""


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
