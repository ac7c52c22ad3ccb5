"""The result topics: anomalies by their own keys, scores keyed by asset, dead letters without a key."""

from __future__ import annotations

from pyflink.table import StreamTableEnvironment

from eugenie_cli.flink_job.alarm_state import ANOMALY, DEAD, SCORE
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.sql import options_clause

NO_KEY = "CAST(NULL AS STRING)"


def attach(spec: JobSpec, tables: StreamTableEnvironment) -> None:
    """Add the three sinks to the job."""
    topics = {"anomalies": spec.kafka.anomalies, "scores": spec.kafka.scores, "dead_letters": spec.kafka.dead_letters}
    for name, topic in topics.items():
        tables.execute_sql(sink_table(spec, name, topic))
    statements = tables.create_statement_set()
    for name, key, kind in (("anomalies", "k", ANOMALY), ("scores", "k", SCORE), ("dead_letters", NO_KEY, DEAD)):
        statements.add_insert_sql(
            f"INSERT INTO {name} SELECT {key}, v FROM records CROSS JOIN UNNEST(vs) AS t (v) WHERE kind = '{kind}'"
        )
    statements.attach_as_datastream()


def sink_table(spec: JobSpec, name: str, topic: str) -> str:
    """A Kafka topic of raw keys and JSON values."""
    options = {
        "connector": "kafka",
        "topic": topic,
        "key.format": "raw",
        "key.fields": "k",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        "sink.delivery-guarantee": spec.delivery,
        "properties.linger.ms": "5",
        "properties.compression.type": "lz4",
        **{f"properties.{key}": value for key, value in spec.kafka.properties.items()},
    }
    if spec.exactly_once:
        options["sink.transactional-id-prefix"] = f"{spec.group}.{name}"
        options["properties.transaction.timeout.ms"] = str(spec.kafka.transaction_timeout_ms)
    return f"CREATE TEMPORARY TABLE {name} (k STRING, v STRING) WITH ({options_clause(options)})"
