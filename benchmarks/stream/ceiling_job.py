"""The least that a job in the JVM alone can do: the same topic, parsed by Flink's own `json`, into a black hole.

Plain SQL, as in Flink's manual, with a watermark. No Python touches a reading, and no reading is checked, aligned or
scored. One message in MARK_EVERY leaves a mark on Kafka, so that its speed is measured like that of the other jobs: by
the times at which the broker accepted the records.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from eugenie_cli.flink_job.spec import JobSpec

MARK_EVERY = 1_000

READINGS = """
CREATE TEMPORARY TABLE readings (
  asset STRING, sensor STRING, ts TIMESTAMP_LTZ(3), `value` DOUBLE, quality STRING,
  place BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'
)"""

BLACK_HOLE = """
CREATE TEMPORARY TABLE black_hole (
  asset STRING, sensor STRING, ts TIMESTAMP_LTZ(3), `value` DOUBLE, quality STRING
) WITH ('connector' = 'blackhole')"""

MARKS = """
CREATE TEMPORARY TABLE marks (readings INT) WITH (
  'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}', 'format' = 'json',
  'sink.delivery-guarantee' = '{delivery}', 'sink.transactional-id-prefix' = 'ceiling',
  'properties.transaction.timeout.ms' = '{transaction_timeout_ms}'
)"""


def settings(spec: JobSpec) -> Configuration:
    """Checkpoints as in the real job, and object reuse, which costs nothing; otherwise Flink's defaults."""
    values = {
        "parallelism.default": str(spec.parallelism),
        "pipeline.object-reuse": "true",
        "execution.checkpointing.interval": f"{spec.checkpoint_ms} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
    }
    configuration = Configuration()
    for key, value in values.items():
        configuration.set_string(key, value)
    return configuration


def main(spec_file: str) -> None:
    """Build and submit; returns once Flink has the job."""
    spec = JobSpec.load(Path(spec_file))
    servers = spec.kafka.properties["bootstrap.servers"]
    env = StreamExecutionEnvironment.get_execution_environment(settings(spec))
    tables = StreamTableEnvironment.create(env)
    tables.execute_sql(READINGS.format(topic=spec.kafka.readings, servers=servers))
    tables.execute_sql(BLACK_HOLE)
    tables.execute_sql(
        MARKS.format(
            topic=spec.kafka.scores,
            servers=servers,
            delivery=spec.delivery,
            transaction_timeout_ms=spec.kafka.transaction_timeout_ms,
        )
    )
    statements = tables.create_statement_set()
    statements.add_insert_sql("INSERT INTO black_hole SELECT asset, sensor, ts, `value`, quality FROM readings")
    statements.add_insert_sql(
        f"INSERT INTO marks SELECT {MARK_EVERY} FROM readings WHERE MOD(place, {MARK_EVERY}) = {MARK_EVERY - 1}"  # noqa: S608
    )
    statements.attach_as_datastream()
    env.execute_async(f"ceiling {spec.site}")


if __name__ == "__main__":
    main(sys.argv[1])
