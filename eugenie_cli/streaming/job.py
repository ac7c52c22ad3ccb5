"""Finds the site's job on a cluster."""

from __future__ import annotations

from eugenie_cli.engines.flink_rest import ALIVE, FlinkRest


def running_job(rest: FlinkRest, site_name: str) -> str | None:
    """The id of the site's job on the cluster; None if none is alive."""
    for job in rest.jobs():
        if job["name"] == f"eugenie {site_name}" and job["state"] in ALIVE:
            return job["jid"]
    return None
