"""The logs of Flink's processes: files of the embedded cluster, or the REST API of another cluster.

The output of the job's Python workers is in the TaskManager's log.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from eugenie_cli.engines import endpoints
from eugenie_cli.engines.flink import JOBMANAGER, TASKMANAGER
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.launcher import log_file
from eugenie_cli.engines.logfile import FILE_POLL_S, LogFile
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

REST_POLL_S = 2.0
"""Flink's REST API returns whole logs, so another cluster is polled less often."""


class LogLine(NamedTuple):
    """A log line and the process that wrote it."""

    process: str
    text: str


class Log(Protocol):
    """The log of one process."""

    @property
    def name(self) -> str: ...

    def more(self) -> list[str]:
        """The complete lines written since the last call; all lines at the first call."""


def logs(
    site: Site,
    lines: int = 100,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[LogLine]:
    """The last `lines` of each process and, with `follow`, new lines until `stopped()`.

    Raises EugenieError when no log exists yet, or when another cluster does not answer.
    """
    embedded = site.stream.flink == endpoints.EMBEDDED
    sources = _files(site) if embedded else _of_cluster(FlinkRest(endpoints.flink(site)))
    for log in sources:
        yield from (LogLine(log.name, text) for text in deque(log.more(), maxlen=lines))
    while follow and not stopped():
        sleep(FILE_POLL_S if embedded else REST_POLL_S)
        for log in sources:
            yield from (LogLine(log.name, text) for text in log.more())


def _files(site: Site) -> list[Log]:
    workspace = workspace_of(site)
    files = [LogFile(name, log_file(workspace, name)) for name in (JOBMANAGER, TASKMANAGER)]
    if not any(file.path.exists() for file in files):
        raise EugenieError(f"the Flink cluster of {site.site} has no log yet", "eugenie up", ExitCode.UNREACHABLE)
    return list(files)


def _of_cluster(rest: FlinkRest) -> list[Log]:
    return [
        _Remote(rest, name) for name in ("jobmanager", *(f"taskmanagers/{manager}" for manager in rest.task_managers()))
    ]


class _Remote:
    """A log read over Flink's REST API."""

    def __init__(self, rest: FlinkRest, process: str) -> None:
        self.name = process.rpartition("/")[2]
        self._rest, self._process = rest, process
        self._seen = 0

    def more(self) -> list[str]:
        whole = self._rest.log(self._process).split("\n")[:-1]
        if len(whole) < self._seen:  # the log was rolled
            self._seen = 0
        new, self._seen = whole[self._seen :], len(whole)
        return new
