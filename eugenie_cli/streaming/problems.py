"""What the stream needs and lacks, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.broker import health as broker_health
from eugenie_cli.broker import topics
from eugenie_cli.engines import endpoints, flink, process
from eugenie_cli.engines.flink_rest import ENDED, FlinkRest
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

STOPPED = "STOPPED"
"""The state of a stream job that does not run."""

SUBMIT = "eugenie stream submit"
BROKERS = "start the brokers, or correct kafka: in the site file"


@dataclass(frozen=True)
class Problem:
    """Something that the stream needs and lacks, and what to do next."""

    what: str
    next: str


def kafka_problem(site: Site) -> Problem | None:
    """A problem with the brokers or their topics, if any."""
    hint = endpoints.START if site.kafka.bootstrap == endpoints.EMBEDDED else BROKERS
    why = broker_health.why_no_kafka(site.kafka_access)
    if why:
        return Problem(f"Kafka does not answer: {why}", hint)
    try:
        missing = topics.missing(site.kafka_access)
    except EugenieError as error:
        return Problem(error.reason, error.hint or hint)
    return Problem(f"Kafka has no topic {', '.join(missing)}", SUBMIT) if missing else None


def next_step(site: Site, rest: FlinkRest, state: str) -> str:
    """What to do about a job that is not running."""
    if state == STOPPED or state in ENDED:
        return SUBMIT
    if rest.task_managers():
        return "wait and check again; `eugenie stream logs` shows what fails"
    if site.stream.flink != endpoints.EMBEDDED:
        return "start a TaskManager: Flink has none"
    if process.identify(run_file(workspace_of(site), flink.TASKMANAGER)) is not None:
        return "wait and check again; if no TaskManager registers: eugenie down, then eugenie up"
    return "eugenie up: no TaskManager is running"
