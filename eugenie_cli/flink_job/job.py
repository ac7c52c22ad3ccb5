"""The wiring. `python job.py SPEC.json` on the JobManager builds the job and submits it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from pyflink.common import Configuration, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from eugenie_cli.flink_job import decode_operator, sinks
from eugenie_cli.flink_job.detect_operator import Detect
from eugenie_cli.flink_job.key_groups import MAX_PARALLELISM
from eugenie_cli.flink_job.spec import JobSpec

BATCH = 30_000
"""Messages decoded at once at most. Bundles and calls have a fixed cost, which 30,000 messages share, and a checkpoint
waits for about a second of work at most."""

RECORDS = Types.ROW_NAMED(["kind", "k", "vs"], [Types.STRING(), Types.STRING(), Types.OBJECT_ARRAY(Types.STRING())])


def settings(spec: JobSpec) -> Configuration:
    """The job's settings. Unless the specification names a folder for checkpoints, the cluster's applies."""
    values = {
        "parallelism.default": str(spec.parallelism),
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        "table.local-time-zone": "UTC",
        "pipeline.object-reuse": "true",
        "pipeline.auto-watermark-interval": "20 ms",
        "execution.buffer-timeout.interval": "0 ms",  # few and large elements pass between operators
        "python.execution-mode": "process",
        decode_operator.BUNDLE_TIME: str(spec.bundle_ms),
        "python.fn-execution.bundle.size": str(BATCH),
        "python.fn-execution.arrow.batch.size": str(BATCH),
        "execution.checkpointing.interval": f"{spec.checkpoint_ms} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        # a full disk or unreachable storage: a restart would not help, and Kafka keeps the readings
        "execution.checkpointing.tolerable-failed-checkpoints": str(2**31 - 1),
        "state.backend.type": spec.state,
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
    }
    if spec.checkpoints is not None:
        values["execution.checkpointing.dir"] = spec.checkpoints
    configuration = Configuration()
    for key, value in values.items():
        configuration.set_string(key, value)
    return configuration


def build(spec: JobSpec) -> StreamExecutionEnvironment:
    """The job graph: decode, detect, three sinks."""
    env = StreamExecutionEnvironment.get_execution_environment(settings(spec))
    tables = StreamTableEnvironment.create(env)
    records = decode_operator.shares(spec, tables).process(Detect(spec), RECORDS).name("detect").uid("detect")
    tables.create_temporary_view("records", tables.from_data_stream(records))
    sinks.attach(spec, tables)
    return env


def main(spec_file: str) -> None:
    """Build and submit the job. Returns once Flink has accepted it."""
    spec = JobSpec.load(Path(spec_file))
    build(spec).execute_async(f"eugenie {spec.site}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(sys.argv[1])
