"""The interface of an engine for `operations`: its launch, its run file and its health check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.engines.process import Process
from eugenie_cli.workspace import Workspace

LOCK = ".lock"
"""Lock file in the workspace's `run/`, held while engines are started or stopped."""

LIGHT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
"""Java options for processes that wait more than they compute: the broker, the JobManager, tools.

Measured for the broker: ready after 6.1 CPU seconds, against 9.7 with the optimising compiler, which a plant's
thousands of readings per second never pay back. The TaskManager, too, moves bytes more than it computes: over a million
readings, the optimising compiler used half of its CPU time.
"""


@dataclass(frozen=True)
class Engine:
    """One process. `launch` starts it detached without waiting; `healthy` checks it within seconds."""

    name: str
    run_file: Path
    launch: Callable[[], Process]
    healthy: Callable[[], bool]


@dataclass(frozen=True)
class JavaRuntime:
    """Shared by the Java engines: the program, and the class path of each role (see `jars.provide`)."""

    java: Path
    jars: dict[str, list[Path]]


def run_file(workspace: Workspace, name: str) -> Path:
    return workspace.run / f"{name}.json"


def log_file(workspace: Workspace, name: str) -> Path:
    return workspace.logs / f"{name}.log"


def logging_options(folder: Path, log: Path) -> list[str]:
    """Java options that send log4j's lines to `log`, in addition to the process's own output.

    The file rolls by size, under the names that `process.start_detached` uses on a start, so an engine that runs for a
    year does not fill the disk.
    """
    settings = folder / "log4j2.properties"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(LOG4J, encoding="utf-8")
    return [f"-Dlog.file={log}", f"-Dlog4j2.configurationFile={settings.as_uri()}"]


LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.append = true
appender.file.fileName = ${sys:log.file}
appender.file.filePattern = ${sys:log.file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c{1.} - %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 32MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.fileIndex = min
appender.file.strategy.max = 3
logger.shadedkafka.name = org.apache.flink.kafka.shaded.org.apache.kafka
logger.shadedkafka.filter.burst.type = BurstFilter
logger.shadedkafka.filter.burst.level = WARN
logger.shadedkafka.filter.burst.rate = 1
logger.shadedkafka.filter.burst.maxBurst = 1000
"""
"""While brokers are unreachable, Kafka's clients log that continuously, one class 5,000 times per second, which pushed
all earlier lines out of the files within a minute. Below the level of errors they may log a burst of a thousand lines
(a job's start takes about four hundred) and one per second in the long run, so the four files cover a week.
"""
