"""A site's job on its Flink cluster: the topic that it reads, the cluster, and its id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from eugenie_cli.engines import endpoints
from eugenie_cli.engines.flink_rest import ALIVE, FlinkRest
from eugenie_cli.flink_job.spec import consumer_group
from eugenie_cli.site.kafka import KafkaAccess
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import instance
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class SiteJob:
    """Everything needed to stop or resume a site's job."""

    kafka: KafkaAccess
    assets: Collection[str]
    rest: FlinkRest
    is_embedded: bool
    """Whether eugenie started the cluster on this machine."""
    workspace: Workspace

    @property
    def site_name(self) -> str:
        return self.kafka.site

    @property
    def readings(self) -> str:
        """The topic that the job reads."""
        return str(self.kafka.topics.readings)

    @property
    def group(self) -> str:
        """The consumer group of the workspace's jobs."""
        return consumer_group(self.site_name, instance.of(self.workspace))

    def running(self) -> str | None:
        """The id of the job; None if none is alive."""
        return running_job(self.rest, self.site_name)


def job_of(site: Site) -> SiteJob:
    """The site's job. Raises EugenieError (UNREACHABLE) when the embedded cluster is not running."""
    rest = FlinkRest(endpoints.flink(site))
    is_embedded = site.stream.flink == endpoints.EMBEDDED
    return SiteJob(site.kafka_access, site.assets, rest, is_embedded, workspace_of(site))


def running_job(rest: FlinkRest, site_name: str) -> str | None:
    """The id of the site's job on the cluster; None if none is alive."""
    for job in rest.jobs():
        if job["name"] == f"eugenie {site_name}" and job["state"] in ALIVE:
            return job["jid"]
    return None
