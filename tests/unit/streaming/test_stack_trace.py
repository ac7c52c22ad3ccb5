"""A stack trace in a line: what a person has to know of it."""

from __future__ import annotations

from eugenie_cli.streaming.stack_trace import LONGEST, summary

PYTHON = """java.lang.RuntimeException: Failed to close remote bundle
\tat org.apache.flink.streaming.api.runners.python.beam.BeamPythonFunctionRunner.finishBundle(Runner.java:422)
Caused by: java.util.concurrent.ExecutionException: java.lang.RuntimeException: Error received from SDK harness: \
Traceback (most recent call last):
  File "/opt/site-packages/apache_beam/runners/worker/sdk_worker.py", line 311, in _execute
    response = task()
eugenie_cli.tfserving.client.ModelServerError: model server m:8500: INVALID_ARGUMENT: rows must be [B, L, 3]

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


def test_what_python_raised_goes_before_what_java_made_of_it():
    assert summary(PYTHON) == (
        "eugenie_cli.tfserving.client.ModelServerError: model server m:8500: INVALID_ARGUMENT: rows must be [B, L, 3]"
    )


def test_of_java_the_innermost_cause():
    assert summary(JAVA) == "java.nio.file.FileSystemException: No space left on device"


def test_one_without_a_cause_is_its_first_line_and_never_long():
    assert summary("java.lang.Exception: TaskManager lost\n\tat x.y") == "java.lang.Exception: TaskManager lost"
    assert summary("") == ""
    assert len(summary("x" * 10_000)) == LONGEST
