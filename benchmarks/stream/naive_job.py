"""A competent first version of the job: everything in PyFlink's DataStream API, row by row.

Kafka -> json.loads -> key by asset -> a row and a list of rows in keyed state -> one synchronous Predict per
row -> Kafka. It does less than the real job: it expects readings in order, and has neither dead letters nor episodes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from eugenie_cli.flink_job.spec import ClassSpec, JobSpec
from eugenie_cli.tfserving.client import PredictClient


class Detect(KeyedProcessFunction):
    """Readings of an asset, in time order -> a score for each row, as JSON."""

    def __init__(self, spec: ClassSpec, model_server: str) -> None:
        self._spec = spec
        self._model_server = model_server

    def open(self, runtime_context: RuntimeContext) -> None:
        self._row = runtime_context.get_state(ValueStateDescriptor("row", Types.PICKLED_BYTE_ARRAY()))
        self._rows = runtime_context.get_list_state(ListStateDescriptor("rows", Types.PICKLED_BYTE_ARRAY()))
        self._client = PredictClient(self._model_server)

    def close(self) -> None:
        self._client.close()

    def process_element(self, value: dict[str, Any], ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        instant = datetime.fromisoformat(value["ts"].replace("Z", "+00:00"))
        ts = round(instant.timestamp() * 1000)
        edge = -(-ts // self._spec.step_ms) * self._spec.step_ms
        row = self._row.value()
        if row is not None and edge > row["edge"]:
            yield self._score(ctx.get_current_key(), row)
            row = None
        if row is None:
            row = {"edge": edge, "values": {}, "good": 0, "bad": 0}
        good = value["quality"] == "good"
        row["values"][value["sensor"]] = value["value"] if good else None
        row["good" if good else "bad"] += 1
        self._row.update(row)

    def _score(self, asset: str, row: dict[str, Any]) -> str:
        rows = [*self._rows.get(), [row["values"].get(sensor) for sensor in self._spec.sensors]][-self._spec.window :]
        self._rows.update(rows)
        score = None
        if len(rows) == self._spec.window:
            segment = np.array([rows], dtype=float).astype(np.float32)
            score = float(self._client.predict(self._spec.model, [asset], segment).score[0, 0])
        record = {"asset": asset, "ts": row["edge"], "score": score, "readings": row["good"], "bad_quality": row["bad"]}
        return json.dumps(record)


def settings(spec: JobSpec) -> Configuration:
    """Checkpoints as in the real job; otherwise Flink's defaults."""
    configuration = Configuration()
    configuration.set_string("parallelism.default", str(spec.parallelism))
    configuration.set_string("execution.checkpointing.interval", f"{spec.checkpoint_ms} ms")
    configuration.set_string("execution.checkpointing.mode", "EXACTLY_ONCE")
    return configuration


def main(spec_file: str) -> None:
    """Build and submit; returns once Flink has the job."""
    spec = JobSpec.load(Path(spec_file))
    servers = spec.kafka.properties["bootstrap.servers"]
    env = StreamExecutionEnvironment.get_execution_environment(settings(spec))
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(servers)
        .set_topics(spec.kafka.readings)
        .set_group_id(f"naive.{spec.site}")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    to_topic = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(spec.kafka.scores)
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    guarantee = "EXACTLY_ONCE" if spec.delivery == "exactly-once" else "AT_LEAST_ONCE"
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(servers)
        .set_record_serializer(to_topic)
        .set_delivery_guarantee(DeliveryGuarantee[guarantee])
        .set_transactional_id_prefix(f"naive.{spec.site}")
        .set_property("transaction.timeout.ms", str(spec.kafka.transaction_timeout_ms))
        .build()
    )
    (
        env.from_source(source, WatermarkStrategy.no_watermarks(), "readings")
        .map(json.loads, Types.PICKLED_BYTE_ARRAY())
        .key_by(lambda reading: reading["asset"], Types.STRING())
        .process(Detect(spec.classes[0], spec.model_server), Types.STRING())
        .sink_to(sink)
    )
    env.execute_async(f"naive {spec.site}")


if __name__ == "__main__":
    main(sys.argv[1])
