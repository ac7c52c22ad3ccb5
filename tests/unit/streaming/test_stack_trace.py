"""A stack trace summarized in one line."""

from __future__ import annotations

import pytest

from eugenie_cli.streaming.stack_trace import MAX_LENGTH, summary

PYTHON = """java.lang.RuntimeException: Failed to close remote bundle
\tat org.apache.flink.streaming.api.runners.python.beam.BeamPythonFunctionRunner.finishBundle(Runner.java:422)
Caused by: java.util.concurrent.ExecutionException: java.lang.RuntimeException: Error received from SDK harness: \
Traceback (most recent call last):
  File "/opt/site-packages/apache_beam/runners/worker/sdk_worker.py", line 311, in _execute
    response = task()
eugenie_cli.tfserving.errors.ModelServerError: model server m:8500: INVALID_ARGUMENT: rows must be [B, L, 3]

\tat java.base/java.util.concurrent.CompletableFuture.reportGet(CompletableFuture.java:396)
Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 7
\t... 3 more
"""

JAVA = """org.apache.flink.runtime.JobException: Recovery is suppressed
\tat org.apache.flink.runtime.executiongraph.failover.ExecutionFailureHandler.handleFailure(Handler.java:219)
Caused by: java.io.IOException: disk
\t... 2 more
Caused by: java.nio.file.FileSystemException: No space left on device
\t... 4 more
"""


def test_a_python_exception_takes_precedence_over_its_java_wrapper():
    assert summary(PYTHON) == (
        "eugenie_cli.tfserving.errors.ModelServerError: model server m:8500: INVALID_ARGUMENT: rows must be [B, L, 3]"
    )


def test_a_java_trace_is_summarized_by_its_innermost_cause():
    assert summary(JAVA) == "java.nio.file.FileSystemException: No space left on device"


def test_a_trace_without_a_cause_is_summarized_by_its_first_line_and_truncated():
    assert summary("java.lang.Exception: TaskManager lost\n\tat x.y") == "java.lang.Exception: TaskManager lost"
    assert summary("") == ""
    assert len(summary("x" * 10_000)) == MAX_LENGTH


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        ("java.lang.NoClassDefFoundError: com/github/luben/zstd/ZstdInputStreamNoFinalizer", "lacks zstd-jni"),
        ("java.lang.ClassNotFoundException: com.github.luben.zstd.ZstdInputStreamNoFinalizer", "lacks zstd-jni"),
        ("java.lang.UnsatisfiedLinkError: /tmp/x.so: failed to map segment from shared object", "noexec"),
        ("org.apache.kafka.common.errors.RecordTooLargeException: 1100000 bytes", "max.message.bytes"),
        ("org.apache.kafka.common.InvalidRecordException: Compacted topic cannot accept", "doctor --site"),
        ("org.apache.kafka.common.errors.ProducerFencedException: There is a newer producer", "copied workspace"),
        ("org.apache.kafka.common.errors.InvalidProducerEpochException: an old epoch", "stop one"),
        ("org.apache.kafka.common.errors.GroupAuthorizationException: eugenie.plant@a-1", "begin with `eugenie.`"),
        ("org.apache.kafka.common.errors.TransactionalIdAuthorizationException: failed.", "begin with `eugenie.`"),
        ("org.apache.kafka.common.errors.UnknownTopicOrPartitionException: no such host", "was deleted"),
        ("org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: no", "eugenie up"),
        ("org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.", "eugenie up"),
    ],
)
def test_a_cause_whose_words_do_not_tell_has_the_next_step(cause, remedy):
    text = summary(
        f"org.apache.flink.util.FlinkException: failed\n\tat org.apache.flink.A.b(A.java:1)\nCaused by: {cause}"
    )
    assert text.startswith(f"{cause}; next: ") and remedy in text


def test_other_causes_stand_alone():
    assert summary("java.io.IOException: disk full\n\tat a.B.c(B.java:1)") == "java.io.IOException: disk full"
