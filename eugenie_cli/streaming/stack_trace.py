"""Summarizes a Java stack trace, and a Python traceback inside it, in a line or two."""

from __future__ import annotations

import re

MAX_LENGTH = 500
"""Characters of a cause at most."""

_LIB = "(docs/operations.md, A Flink of your own)"
_NEXT = (
    (re.compile(r"com[./]github[./]luben[./]zstd"), f"Flink's lib lacks zstd-jni: copy it there and restart {_LIB}"),
    (
        re.compile("failed to map segment from shared object"),
        "the folder of temporary files forbids programs (noexec): give the TaskManager another one, -Djava.io.tmpdir",
    ),
    (
        re.compile(r"RecordTooLargeException|MESSAGE_TOO_LARGE"),
        "a topic's max.message.bytes is too small: `eugenie doctor --site SITE` names it",
    ),
    (
        re.compile(r"InvalidRecordException|INVALID_RECORD"),
        "a topic refuses the job's records, as a compacted one without keys: `eugenie doctor --site SITE` names it",
    ),
    (
        re.compile("ProducerFenced|InvalidProducerEpoch|InvalidPidMapping"),
        "another job uses this job's transactions, as one of a copied workspace or of the site on Kubernetes: stop one",
    ),
    (
        re.compile("(Group|TransactionalId)AuthorizationException"),
        "allow the job's user groups and transactional ids that begin with `eugenie.` and the site's name",
    ),
    (
        re.compile("TopicRecreatedError"),
        "`eugenie stream submit --start-at earliest` reads the new topic from its first record, with empty windows",
    ),
    (
        re.compile("UnknownTopicOrPartitionException|UnknownTopicIdException"),
        "a topic was deleted: `eugenie stream stop`, then `eugenie stream submit`, which creates missing topics",
    ),
    (
        re.compile("NoResourceAvailableException|TaskExecutor is shutting down"),
        "`eugenie up` starts a TaskManager that has died; `eugenie stream logs` shows why it did",
    ),
)
"""Causes with a remedy that their own words do not tell: a pattern of the stack trace, and what to do."""

_TRACEBACK = "Traceback (most recent call last)"
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt)\b.*")


def summary(stacktrace: str) -> str:
    """What failed: the exception of the last Python traceback if any, else Java's innermost cause; and what to do."""
    remedy = next((remedy for pattern, remedy in _NEXT if pattern.search(stacktrace)), None)
    return _cause(stacktrace) + (f"; next: {remedy}" if remedy else "")


def _cause(stacktrace: str) -> str:
    lines = [line.rstrip() for line in stacktrace.splitlines()]
    if any(_TRACEBACK in line for line in lines):
        start = max(number for number, line in enumerate(lines) if _TRACEBACK in line)
        python = [line.strip() for line in lines[start + 1 :] if _EXCEPTION.match(line.strip()) and not _is_java(line)]
        if python:
            return python[0][:MAX_LENGTH]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes[-1] if causes else next(iter(lines), ""))[:MAX_LENGTH]


def _is_java(line: str) -> bool:
    return line.strip().startswith(("at ", "java.", "org.apache.", "Caused by"))
