"""Checks that a Flink cluster which eugenie did not start has the libraries that the job needs in its `lib`."""

from __future__ import annotations

from eugenie_cli.engines import jars
from eugenie_cli.engines.flink_rest import FlinkRest

_WITHOUT = {
    "flink-sql-connector-kafka": ("flink-sql-connector-kafka", "flink-connector-kafka"),
    "zstd-jni": ("zstd-jni",),
}
"""Artifact of the lock -> beginnings of the names of jars that contain it."""

_CONSEQUENCES = {
    "flink-sql-connector-kafka": "it cannot read Kafka",
    "zstd-jni": "the first batch that a gateway compresses with zstd stops the job",
}


UNKNOWN = ("unknown: Flink does not report its class path", "")


def missing(rest: FlinkRest) -> tuple[str, str] | None:
    """What the JobManager's class path lacks and what follows, and what to do; None if it lacks nothing.

    UNKNOWN if the cluster does not report it.

    A jar may contain another one's classes, so this is a warning. Raises EugenieError when the cluster does not answer.
    """
    present = rest.class_path()
    lacking = [
        jar
        for jar in jars.locked()
        if jar.role == "flink" and not any(name.startswith(_WITHOUT[jar.artifact]) for name in present)
    ]
    if not present:
        return UNKNOWN
    if not lacking:
        return None
    consequences = "; ".join(f"{jar.artifact}: without it, {_CONSEQUENCES[jar.artifact]}" for jar in lacking)
    names = ", ".join(jar.filename for jar in lacking)
    return (
        f"Flink at {rest.address} lacks {consequences}",
        f"copy {names} into Flink's folder lib on all its machines, and restart it (docs/operations.md, A Flink of your"
        " own)",
    )
