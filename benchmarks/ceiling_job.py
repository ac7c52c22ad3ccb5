"""The JVM's share of the stream job alone: the same topic, parsed and judged by the same SQL, into a black hole.

No Python works on a reading here. One message in MARK_EVERY leaves a mark on Kafka, so that its speed is measured as
that of the other jobs is: by the times at which the broker took the records.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from eugenie_cli.streamjob import front_sql
from eugenie_cli.streamjob.job import judge, settings
from eugenie_cli.streamjob.sinks import sink_table
from eugenie_cli.streamjob.spec import JobSpec

MARK_EVERY = 1_000
BLACK_HOLE = """
CREATE TEMPORARY TABLE black_hole (
  asset STRING, sensor STRING, tag STRING, rt TIMESTAMP(3), number STRING, good BOOLEAN, reason STRING
) WITH ('connector' = 'blackhole')"""


def main(spec_file: str) -> None:
    """Build and submit; returns once Flink has the job."""
    spec = JobSpec.load(Path(spec_file))
    env = StreamExecutionEnvironment.get_execution_environment(settings(spec))
    tables = StreamTableEnvironment.create(env)
    judge(spec, tables)
    tables.execute_sql(BLACK_HOLE)
    tables.execute_sql(sink_table(spec, "marks", spec.kafka.scores))
    statements = tables.create_statement_set()
    statements.add_insert_sql("INSERT INTO black_hole SELECT asset, sensor, tag, rt, number, good, reason FROM judged")
    statements.add_insert_sql(
        f"INSERT INTO marks SELECT CAST(NULL AS STRING), JSON_OBJECT('readings' VALUE {MARK_EVERY})"  # noqa: S608
        f" FROM {front_sql.FIELDS} WHERE MOD(`offset`, {MARK_EVERY}) = {MARK_EVERY - 1}"
    )
    statements.attach_as_datastream()
    env.execute_async(f"ceiling {spec.site}")


if __name__ == "__main__":
    main(sys.argv[1])
