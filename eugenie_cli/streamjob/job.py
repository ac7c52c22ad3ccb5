"""The wiring: `python job.py SPEC.json` on the JobManager builds this job and submits it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from pyflink.common import Configuration, Time, Types
from pyflink.datastream import AsyncDataStream, DataStream, StreamExecutionEnvironment
from pyflink.table import DataTypes, Schema, StreamTableEnvironment

from eugenie_cli.streamjob import front_sql, sinks
from eugenie_cli.streamjob.alarms import Alarms
from eugenie_cli.streamjob.predict import Predict
from eugenie_cli.streamjob.spec import JobSpec
from eugenie_cli.streamjob.windows import Windows

ELEMENT = Types.PICKLED_BYTE_ARRAY()
RECORD = Types.ROW_NAMED(["kind", "k", "v"], [Types.STRING(), Types.STRING(), Types.STRING()])


def settings(spec: JobSpec) -> Configuration:
    """The job's own settings; where checkpoints lie is the cluster's."""
    values = {
        "parallelism.default": str(spec.parallelism),
        "table.local-time-zone": "UTC",
        "pipeline.object-reuse": "true",
        "pipeline.auto-watermark-interval": "100 ms",
        "execution.buffer-timeout.interval": "10 ms",
        "python.execution-mode": "process",
        "python.fn-execution.bundle.time": str(spec.bundle_ms),
        "execution.checkpointing.interval": f"{spec.checkpoint_ms} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
    }
    configuration = Configuration()
    for key, value in values.items():
        configuration.set_string(key, value)
    return configuration


def build(spec: JobSpec) -> StreamExecutionEnvironment:
    """The job graph: SQL front, rows, Predict, alarms, three topics."""
    env = StreamExecutionEnvironment.get_execution_environment(settings(spec))
    tables = StreamTableEnvironment.create(env)
    judge(spec, tables)
    tables.execute_sql(front_sql.readings_view(spec))

    records = scored_records(spec, tables.to_data_stream(tables.sql_query(front_sql.steps_query(spec))))
    tables.create_temporary_view("records", tables.from_data_stream(records))
    sinks.attach(spec, tables)
    return env


def judge(spec: JobSpec, tables: StreamTableEnvironment) -> None:
    """Add the front up to its verdicts: the views `fields` and `judged`."""
    tables.execute_sql(front_sql.source_table(spec))
    fields = tables.to_data_stream(tables.sql_query(front_sql.fields_query(spec)))
    rowtime = Schema.new_builder()
    for name in ("payload", "ts_text", "asset", "sensor", "tag", "value_text", "quality_text"):
        rowtime.column(name, DataTypes.STRING())
    rowtime.column("partition", DataTypes.INT()).column("offset", DataTypes.BIGINT())
    rowtime.column("rt", DataTypes.TIMESTAMP(3))
    tables.create_temporary_view(
        front_sql.FIELDS, tables.from_data_stream(fields, rowtime.watermark("rt", "SOURCE_WATERMARK()").build())
    )
    tables.execute_sql(front_sql.judged_view(spec))


def scored_records(spec: JobSpec, steps: DataStream) -> DataStream:
    """The Python part: (shard, edge, items) -> (kind, key, JSON)."""
    segments = (
        steps.key_by(lambda step: step[0], Types.INT()).process(Windows(spec), ELEMENT).name("windows").uid("windows")
    )
    scored = AsyncDataStream.ordered_wait(segments, Predict(spec), Time.milliseconds(0), spec.in_flight, ELEMENT)
    scored = scored.name("predict").uid("predict")
    return scored.key_by(lambda one: one[0], Types.INT()).process(Alarms(spec), RECORD).name("alarms").uid("alarms")


def main(spec_file: str) -> None:
    """Build and submit; returns once Flink has the job."""
    spec = JobSpec.load(Path(spec_file))
    build(spec).execute_async(f"eugenie {spec.site}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(sys.argv[1])
