"""The vectorised front: batches of raw messages -> one element a batch, with the clock that follows it.

Flink hands a vectorised Python function thousands of messages at once, through Arrow. The function answers for all of
them in its first row and leaves the others empty: what the JVM passes on is one element a batch. A batch ends when it
is full, and at the latest when the bundle does: before every checkpoint, and every `gather_ms`.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
from pyflink.common import Types
from pyflink.datastream import DataStream
from pyflink.table import DataTypes, Schema, StreamTableEnvironment
from pyflink.table.udf import FunctionContext, ScalarFunction, udf

from eugenie_cli.streamjob.decode import Decoder, Messages, Portion
from eugenie_cli.streamjob.keys import keys
from eugenie_cli.streamjob.source import SOURCE, source_table
from eugenie_cli.streamjob.spec import JobSpec

DECODED = DataTypes.ROW([DataTypes.FIELD("clock", DataTypes.BIGINT()), DataTypes.FIELD("batch", DataTypes.BYTES())])
ELEMENT = Types.PICKLED_BYTE_ARRAY()


class Decode(ScalarFunction):
    """payload, partition, offset, sent: a batch of N messages -> (clock, pickled portions) in row 0 of N."""

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec

    def open(self, function_context: FunctionContext) -> None:  # noqa: ARG002 - Flink's signature
        self._decoder = Decoder(self._spec)

    def is_deterministic(self) -> bool:
        return False  # the planner must not call it twice for two uses of its result

    def eval(self, payload: pd.Series, partition: pd.Series, offset: pd.Series, sent: pd.Series) -> pd.DataFrame:
        messages = Messages(
            payload.tolist(),
            partition.to_numpy(np.int64),
            offset.to_numpy(np.int64),
            sent.to_numpy().astype("datetime64[ms]").astype(np.int64),
        )
        portions = self._decoder.decode(messages, int(time.time() * 1000))
        empty = [None] * (len(payload) - 1)
        batch = pickle.dumps(portions, pickle.HIGHEST_PROTOCOL)
        return pd.DataFrame(
            {"clock": [self._decoder.clock.now, *[0] * len(empty)], "batch": pd.Series([batch, *empty], dtype=object)}
        )


def portions(spec: JobSpec, tables: StreamTableEnvironment) -> DataStream:
    """The readings topic as (key of the shard, Portion), with watermarks."""
    # for the table's Python operator alone: the others have the environment's
    tables.get_config().set("python.fn-execution.bundle.time", str(spec.gather_ms))
    tables.execute_sql(source_table(spec))
    tables.create_temporary_system_function(
        "decode_batch", udf(Decode(spec), result_type=DECODED, func_type="pandas", deterministic=False)
    )
    tables.execute_sql(f"""
        CREATE TEMPORARY VIEW decoded AS
        SELECT decode_batch(payload, `partition`, `offset`, CAST(sent AS TIMESTAMP(3))) AS d FROM {SOURCE}""")
    batches = tables.to_data_stream(tables.sql_query("SELECT d.clock, d.batch FROM decoded WHERE d.batch IS NOT NULL"))
    schema = (
        Schema.new_builder()
        .column("clock", DataTypes.BIGINT())
        .column("batch", DataTypes.BYTES())
        .column_by_expression("rt", "TO_TIMESTAMP_LTZ(clock, 3)")
        .watermark("rt", "rt")
    )
    timed = tables.from_data_stream(batches, schema.build())
    elements = tables.to_data_stream(timed.select(timed.batch, timed.rt))
    key_of = keys(spec.shards)

    def deal(element: tuple) -> Iterator[tuple[int, Portion]]:
        for shard, portion in pickle.loads(element[0]).items():  # noqa: S301 - our own, from the operator before
            yield key_of[shard], portion

    return elements.flat_map(deal, ELEMENT).name("deal").uid("deal")
