"""What every engine is to `operations.lifecycle`: how it is launched, found, and asked for its health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.engines.process import Process
from eugenie_cli.workspace import Workspace

LOCK = ".lock"
"""In the workspace's `run/`: held while engines are started or stopped."""

LIGHT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
"""Java options of what waits more than it computes: the broker, the JobManager, tools.

Measured for the broker: ready after 6.1 CPU seconds, against 9.7 with the optimising compiler,
which a plant's thousands of readings a second never pay back. The TaskManager too moves bytes more than it
computes: with the optimising compiler half of its CPU time in a million readings was the compiler's.
"""


@dataclass(frozen=True)
class Engine:
    """One process. `launch` starts it detached and does not wait; `healthy` asks it, within seconds."""

    name: str
    run_file: Path
    launch: Callable[[], Process]
    healthy: Callable[[], bool]


@dataclass(frozen=True)
class JavaRuntime:
    """What the Java engines share: the program, and the class path of each role (see `jars.provide`)."""

    java: Path
    jars: dict[str, list[Path]]


def run_file(workspace: Workspace, name: str) -> Path:
    return workspace.run / f"{name}.json"


def log_file(workspace: Workspace, name: str) -> Path:
    return workspace.logs / f"{name}.log"


def logging_options(folder: Path, log: Path) -> list[str]:
    """Java options that send log4j's lines to `log`, beside what the process itself prints there.

    The file rolls by size under the names that `process.start_detached` uses at a start, so an engine that
    runs for a year does not fill the disk.
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
"""While brokers are away, Kafka's clients say so again and again, one class 5,000 times a second: within a minute that
rolled away everything that had been said before. From what is below an error, they have a burst of a thousand lines
(a job's start takes some four hundred), and one a second in the long run: the four files then reach back a week.
"""
