"""The vectorised decoding operator: batches of raw messages -> one share per task, with event time.

Flink passes thousands of messages at once to a vectorised Python function, through Arrow. The function puts the result
of all of them into its first row and leaves the others empty. So the JVM forwards one row per batch and splits it into
one element per task, without Python between decoding and the rows. A batch ends when it is full, or with its bundle:
before every checkpoint, and every `gather_ms`.
"""

from __future__ import annotations

import pickle
import time

import numpy as np
import pandas as pd
from pyflink.common import Types
from pyflink.datastream import DataStream, KeyedStream
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, Schema, StreamTableEnvironment
from pyflink.table.udf import FunctionContext, ScalarFunction, udf

from eugenie_cli.flink_job import beam_patches
from eugenie_cli.flink_job.decode import Decoder, Messages
from eugenie_cli.flink_job.key_groups import keys, tasks
from eugenie_cli.flink_job.source import SOURCE, raw_parts, source_table
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.tested_versions import private_part
from eugenie_cli.readings.kafka_record import RecordParts

BUNDLE_TIME = "python.fn-execution.bundle.time"

PARTS = DataTypes.ARRAY(DataTypes.BYTES())
DECODED = DataTypes.ROW([DataTypes.FIELD("clock", DataTypes.BIGINT()), DataTypes.FIELD("parts", PARTS)])
KEY, PART = Types.INT(), Types.PRIMITIVE_ARRAY(Types.BYTE())


class Decode(ScalarFunction):
    """A batch of N messages (payload, partition, offset, sent, `raw_parts`) -> (clock, parts) in row 0 of N.

    `parts` has one element per task: a pickled `Share` or None.
    """

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec

    def open(self, function_context: FunctionContext) -> None:  # noqa: ARG002 - Flink's signature
        beam_patches.apply()
        self._decoder = Decoder(self._spec)
        self._tasks = tasks(self._spec.shards, self._spec.parallelism)
        self._record_parts = RecordParts.of(self._spec.mapping)

    def is_deterministic(self) -> bool:
        return False  # so that the planner does not call it once per use of its result

    def eval(
        self, payload: pd.Series, partition: pd.Series, offset: pd.Series, sent: pd.Series, *raw: pd.Series
    ) -> pd.DataFrame:
        sent_ms = sent.to_numpy().astype("datetime64[ms]").astype(np.int64)
        members = None
        if self._record_parts:
            members = self._record_parts.members([column.tolist() for column in raw], sent_ms.tolist())
        messages = Messages(payload.tolist(), partition.to_numpy(np.int64), offset.to_numpy(np.int64), sent_ms, members)
        shares = self._decoder.decode(messages, int(time.time() * 1000))
        parts = [
            pickle.dumps(shares[task], pickle.HIGHEST_PROTOCOL) if task in shares else None for task in self._tasks
        ]
        rest = len(payload) - 1
        return pd.DataFrame(
            {
                "clock": [self._decoder.clock.now, *[0] * rest],
                "parts": pd.Series([parts, *[None] * rest], dtype=object),
            }
        )


def shares(spec: JobSpec, tables: StreamTableEnvironment) -> KeyedStream:
    """The readings topic as pickled shares with watermarks, keyed by the first shard of the receiving task."""
    # applies to the operators translated from here on, so it is reset below for the other operators
    tables.get_config().set(BUNDLE_TIME, str(spec.gather_ms))
    tables.execute_sql(source_table(spec))
    tables.create_temporary_system_function(
        "decode_batch", udf(Decode(spec), result_type=DECODED, func_type="pandas", deterministic=False)
    )
    taken = ", ".join(["payload", "`partition`", "`offset`", "CAST(sent AS TIMESTAMP(3))", *raw_parts(spec)])
    tables.execute_sql(f"CREATE TEMPORARY VIEW decoded AS SELECT decode_batch({taken}) AS d FROM {SOURCE}")
    batches = tables.to_data_stream(tables.sql_query("SELECT d.clock, d.parts FROM decoded WHERE d.parts IS NOT NULL"))
    tables.get_config().set(BUNDLE_TIME, str(spec.bundle_ms))
    schema = (
        Schema.new_builder()
        .column("clock", DataTypes.BIGINT())
        .column("parts", PARTS)
        .column_by_expression("rt", "TO_TIMESTAMP_LTZ(clock, 3)")
        .watermark("rt", "rt")
    )
    tables.create_temporary_view("timed", tables.from_data_stream(batches, schema.build()))
    # split only now: no watermark may pass between the parts of a batch
    parted = tables.sql_query(f"""
        SELECT {key_of_place(spec)} AS k, part
        FROM timed CROSS JOIN UNNEST(parts) WITH ORDINALITY AS t (part, place) WHERE part IS NOT NULL""")
    return by_key(tables.to_append_stream(parted, Types.ROW([KEY, PART])))


def key_of_place(spec: JobSpec) -> str:
    """SQL: the key of the task whose part is at `place` in the array, counted from 1."""
    shards = tasks(spec.shards, spec.parallelism).values()
    cases = " ".join(f"WHEN {place} THEN {keys(spec.shards)[own[0]]}" for place, own in enumerate(shards, 1))
    return f"CASE place {cases} END"


def by_key(rows: DataStream) -> KeyedStream:
    """Rows (key, value) as a keyed stream of values.

    `key_by` would call Python to compute the key of each element. Here the row already contains it, as with `key_by`.
    Raises RuntimeError when this release of PyFlink makes keyed streams in another way.
    """
    with private_part("the Java class KeyByKeySelector"):
        keyed = rows._j_data_stream.keyBy(get_gateway().jvm.KeyByKeySelector(), Types.ROW([KEY]).get_java_type_info())
        return KeyedStream(keyed, PART, rows)
